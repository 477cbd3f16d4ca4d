// All texts of the pages, in English and Chinese; the server's own texts follow the same language.

import { effect, signal } from "./html.js";

const TEXTS = {
  tasks: ["Tasks", "任务"], new_task: ["New task", "新建任务"], apps: ["Apps", "应用"], home: ["Duly", "Duly"],
  sign_in: ["Sign in", "登录"], sign_out: ["Sign out", "退出"], token: ["Token", "令牌"],
  token_hint: [
    "The token of the token file, an API key, or a token from `duly token issue --user NAME`.",
    "令牌文件中的令牌、API 密钥，或由 `duly token issue --user 名称` 签发的令牌。",
  ],
  theme: ["Light or dark", "浅色或深色"], language: ["中文", "English"],
  all: ["All", "全部"], state: ["State", "状态"], type: ["Type", "类型"], queue: ["Queue", "队列"], tag: ["Tag", "标签"],
  created: ["Submitted", "提交时间"], took: ["Ran for", "运行时长"], progress: ["Progress", "进度"],
  attempt: ["Attempt", "执行次数"], priority: ["Priority", "优先级"], owner: ["Owner", "所有者"],
  more: ["Older tasks", "更早的任务"], refresh: ["Refresh", "刷新"], filter: ["Filter", "筛选"],
  none: ["There is no task here yet.", "这里还没有任务。"],
  none_found: ["No task fits this filter.", "没有符合条件的任务。"],
  cancel: ["Cancel", "取消"], retry: ["Retry", "重试"], copy: ["Copy", "复制"], copied: ["Copied", "已复制"],
  sure_cancel: ["Cancel this task? What it has done so far stays.", "确定取消该任务吗？已完成的部分会保留。"],
  why: ["Why it stands here", "为何处于此状态"], result: ["Result", "结果"], error: ["Error", "错误"],
  input: ["Input", "输入"], output: ["Output so far", "当前输出"], timeline: ["Timeline", "时间线"],
  deliveries: ["Deliveries", "投递"], details: ["Details", "详情"], tried: ["sends", "次发送"],
  submit: ["Submit", "提交"], task_type: ["Task type", "任务类型"], json_input: ["Input (JSON)", "输入（JSON）"],
  not_json: ["This is not a JSON object.", "这不是 JSON 对象。"],
  file: ["File", "文件"], choose: ["Choose a file, or drop one here", "选择文件，或将文件拖到此处"],
  uploading: ["Uploading", "正在上传"], uploaded: ["Uploaded", "已上传"], remove: ["Remove", "移除"],
  file_hint: ["It goes into the input as `file`.", "将作为 `file` 放入输入。"],
  live: ["live", "实时"], polling: ["every few seconds", "每隔数秒"], offline: ["no connection", "连接已断开"],
  busy: ["One moment …", "请稍候……"], failed: ["That did not work", "操作未成功"], close: ["Close", "关闭"],
  back: ["All tasks", "全部任务"], signed_in_as: ["Signed in as", "当前用户"], admin: ["administrator", "管理员"],
  scheduled: ["scheduled", "已计划"], pending: ["pending", "等待执行"], blocked: ["blocked", "受限等待"],
  running: ["running", "运行中"], waiting: ["waiting", "等待中"], completed: ["completed", "已完成"],
  failed_state: ["failed", "失败"], cancelled: ["cancelled", "已取消"], retry_state: ["retry", "待重试"],
};

/** What the lines of a timeline are called. */
const LINES = {
  accepted: ["accepted", "已接收"], due: ["due", "到期"], started: ["started", "开始执行"], blocked: ["blocked", "受限"],
  unblocked: ["unblocked", "解除限制"], step: ["step", "步骤"], progress: ["progress", "进度"], log: ["log", "日志"],
  usage: ["usage", "用量"], cancel_requested: ["cancel requested", "请求取消"], lost: ["worker lost", "工作进程丢失"],
  handed_back: ["handed back", "交还"], retry: ["retry later", "稍后重试"], waiting: ["waiting", "等待"],
  signalled: ["signalled", "收到信号"], woken: ["woken", "被唤醒"], job: ["external job", "外部任务"],
  compacted: ["compacted", "已合并"], completed: ["completed", "已完成"], failed: ["failed", "失败"],
  cancelled: ["cancelled", "已取消"], retried: ["retried", "再次执行"], moved: ["moved", "已移动"], aged: ["aged", "优先级提升"],
};

const kept = (name, fallback) => {
  try { return localStorage.getItem(name) ?? fallback; } catch { return fallback; }
};
const keep = (name, value) => {
  try { localStorage.setItem(name, value); } catch { /* a private window keeps nothing */ }
};

export const language = signal(kept("duly.language", navigator.language?.startsWith("zh") ? "zh" : "en"));
export const theme = signal(kept("duly.theme", ""));

effect(() => {
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
  keep("duly.language", language.value);
});
effect(() => {
  document.documentElement.dataset.theme = theme.value;
  keep("duly.theme", theme.value);
});

/** The text of this name. */
export const t = (name) => (TEXTS[name] ?? [name, name])[language.value === "zh" ? 1 : 0];

/** A state as a word: `failed` and `retry` are also verbs elsewhere. */
export const state = (name) => t(["failed", "retry"].includes(name) ? `${name}_state` : name);

/** A timeline line's kind as words. */
export const event = (name) => (LINES[name] ?? [name, name])[language.value === "zh" ? 1 : 0];

/** Texts for a page of an app, beside ours: `{name: [english, chinese]}`. */
export const add = (texts) => Object.assign(TEXTS, texts);
