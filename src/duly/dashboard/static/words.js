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
  inbox: ["Inbox", "收件箱"], endpoints: ["Endpoints", "投递端点"], endpoint: ["endpoint", "端点"], keys: ["Keys", "密钥"],
  task: ["Task", "任务"], target: ["Target", "目标"], address: ["Address", "地址"], events: ["Events", "事件"],
  format: ["Format", "格式"], ordered: ["one after the other", "按顺序投递"], log: ["Sends", "发送记录"],
  message: ["Message", "消息"], made: ["Created", "创建时间"], further: ["More", "更多"], add: ["Add", "添加"], test: ["Test", "测试"], rotate: ["Rotate", "轮换"],
  enable: ["Enable", "启用"], disable: ["Disable", "停用"], enabled: ["enabled", "已启用"], disabled: ["disabled", "已停用"],
  resend: ["Send again", "重新发送"], revoke: ["Revoke", "吊销"], revoked: ["revoked", "已吊销"], expired: ["expired", "已过期"],
  good: ["good", "有效"], name: ["Name", "名称"], role: ["Role", "角色"], tenant: ["Tenant", "租户"], used: ["Last used", "最近使用"],
  expires: ["Expires", "到期"], never: ["never", "从不"], new_key: ["New key", "新建密钥"], new_endpoint: ["New endpoint", "新建端点"],
  once: ["Note this now: it is not shown again.", "请立即保存，之后不再显示。"],
  old_secret: ["the old secret signs too until", "旧密钥同时有效至"],
  sure_rotate: ["Make a new secret? The old one goes on for a day.", "确定生成新的密钥吗？旧密钥将继续有效一天。"],
  sure_revoke: ["Revoke this key? It opens nothing from then on.", "确定吊销该密钥吗？吊销后立即失效。"],
  sure_remove: ["Remove this endpoint? What it is owed is not sent.", "确定移除该端点吗？尚未投递的内容不再发送。"],
  unread: ["Unread", "未读"], read_all: ["Mark all as read", "全部标为已读"], mark_read: ["Mark as read", "标为已读"],
  mark_unread: ["Mark as unread", "标为未读"], no_deliveries: ["Nothing is owed here.", "这里没有投递。"],
  no_endpoints: ["No endpoint is told of ended tasks yet.", "还没有投递端点。"], no_keys: ["There is no key yet.", "还没有密钥。"],
  no_notifications: ["There is nothing in this inbox.", "收件箱为空。"],
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

/** How a delivery stands, and what a send came to. */
const SENT = {
  held: ["held", "等待任务结束"], pending: ["pending", "等待投递"], sending: ["sending", "投递中"], delivered: ["delivered", "已送达"],
  dead: ["dead", "未能送达"], sent: ["sent", "已送达"], rejected: ["rejected", "被拒绝"], retry: ["retry", "稍后重试"],
  route_dead: ["route dead", "地址失效"], unknown: ["unknown", "结果未知"],
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

/** A delivery's state, or a send's outcome, as a word. */
export const sent = (name) => (SENT[name] ?? [name, name])[language.value === "zh" ? 1 : 0];

/** Texts for a page of an app, beside ours: `{name: [english, chinese]}`. */
export const add = (texts) => Object.assign(TEXTS, texts);
