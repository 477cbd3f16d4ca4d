// The texts of these pages, in English and Chinese, beside those of the shell.

import { add } from "../../words.js";

export const TEXTS = {
  bidding: ["Tender analysis", "标书分析"], workload: ["Workload split", "工时拆分"],
  bidding_hint: [
    "Seven tabs of findings from each tender, every one with its page and its quote.",
    "从每份标书中整理出七类要点，逐条注明页码和原文。",
  ],
  workload_hint: [
    "Work items with roles, a range of days, what waits for what, and what was assumed.",
    "把需求文档拆成工作项：角色、人天区间、依赖关系和假设。",
  ],
  drop_many: ["Choose files, or drop them here", "选择文件，或将文件拖到此处"],
  kinds_of_file: ["PDF, DOCX, XLSX, HTML or plain text", "支持 PDF、DOCX、XLSX、HTML 和纯文本"],
  folder: ["Choose a folder", "选择文件夹"], or_text: ["Or paste the text", "或粘贴文本"],
  urgency: ["Priority", "优先级"], low: ["low", "低"], normal: ["normal", "普通"], high: ["high", "高"],
  start: ["Start", "开始"], starting: ["Sending", "正在提交"], mine: ["My tasks", "我的任务"],
  empty_desk: ["Nothing has been handed in yet.", "还没有提交过文件。"],
  name: ["Document", "文件"], pasted: ["pasted text", "粘贴的文本"],
  export: ["Export", "导出"], source: ["Source", "原文"], show_source: ["Show in the source", "查看原文"],
  page_of: ["p.", "第"], page_end: ["", "页"], sheet_of: ["sheet", "工作表"], paragraph_of: ["¶", "第"], paragraph_end: ["", "段"],
  not_found: ["not found", "未识别"], limits: ["How this was made, and its limits", "来源与局限"],
  reading: ["Reading the document …", "正在读取文件……"], sections: ["Sections", "分类"],
  items: ["Work items", "工作项"], item: ["Work item", "工作项"], days: ["Person-days", "人天"], roles: ["Roles", "角色"],
  waits_for: ["Waits for", "依赖"], assumptions: ["Assumptions", "假设"], by_role: ["By role", "角色合计"],
  total: ["Total", "合计"], chain: ["Longest chain", "最长依赖链"], stated: ["from the document", "取自原文"],
  back_to_list: ["Back to the list", "返回列表"], original: ["Original file", "原始文件"], details_of: ["Timeline", "时间线"],
  no_files: ["Choose a file or paste a text first.", "请先选择文件或粘贴文本。"],
  analyst: ["Analyst", "需求分析"], designer: ["Designer", "界面设计"], frontend: ["Front end", "前端开发"],
  backend: ["Back end", "后端开发"], data: ["Data", "数据工程"], tester: ["Tester", "测试"],
  operator: ["Operations", "运维部署"], trainer: ["Training", "培训交付"],
};

add(TEXTS);
