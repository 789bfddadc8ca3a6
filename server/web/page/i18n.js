// Two languages side by side: t('中文', 'English'). The words of the API
// (service, urban, …) are turned into what people say here.

const KEY = 'suqiu-language';
let current = 'zh';
try {
  current = localStorage.getItem(KEY) === 'en' ? 'en' : 'zh';
} catch { /* no storage: Chinese */ }
document.documentElement.lang = current === 'en' ? 'en' : 'zh-CN';

/** 'zh-CN' or 'en', as the API wants it. */
export const language = () => (current === 'en' ? 'en' : 'zh-CN');
export const english = () => current === 'en';
export const t = (chinese, inEnglish) => (current === 'en' ? inEnglish : chinese);

/** Remember and take the other language; the caller draws the page again. */
export function setLanguage(value) {
  current = value === 'en' ? 'en' : 'zh';
  document.documentElement.lang = current === 'en' ? 'en' : 'zh-CN';
  try {
    localStorage.setItem(KEY, current);
  } catch { /* it holds until the page is closed */ }
}

const words = {
  category: {
    service: ['服务投诉', 'Service'],
    business: ['营业投诉', 'Business'],
    outage: ['停送电投诉', 'Outage'],
    quality: ['供电质量投诉', 'Quality'],
    grid: ['电网建设投诉', 'Grid'],
    none: ['非投诉', 'None'],
  },
  region: {
    urban: ['城区', 'Urban'],
    rural: ['农村', 'Rural'],
    remote: ['特殊边远', 'Remote'],
    unknown: ['未知', 'Unknown'],
  },
  type: {
    complaint: ['投诉', 'Complaint'],
    report: ['举报', 'Report'],
    opinion: ['意见', 'Opinion'],
    suggestion: ['建议', 'Suggestion'],
    praise: ['表扬', 'Praise'],
    fault: ['故障报修', 'Fault'],
    inquiry: ['业务咨询', 'Inquiry'],
    service: ['服务申请', 'Service request'],
    reminder: ['催办', 'Reminder'],
    unknown: ['未知', 'Unknown'],
  },
  channel: {
    95598: ['95598', '95598'],
    12345: ['12345', '12345'],
    12398: ['12398', '12398'],
    app: ['网上国网', 'App'],
    hall: ['营业厅', 'Hall'],
    wechat: ['微信', 'WeChat'],
    manager: ['客户经理', 'Account manager'],
    supervisor: ['行风监督员', 'Conduct supervisor'],
  },
  state: {
    open: ['处理中', 'Open'],
    replied: ['已答复', 'Replied'],
    closed: ['已办结', 'Closed'],
  },
  event: {
    accepted: ['受理', 'Accepted'],
    dispatched: ['派发', 'Dispatched'],
    received: ['接单', 'Received'],
    contacted: ['联系客户', 'Contacted'],
    arrived: ['到达现场', 'Arrived'],
    restored: ['恢复送电', 'Restored'],
    replied: ['回单', 'Replied'],
    closed: ['办结', 'Closed'],
    revisited: ['回访', 'Revisited'],
    verified: ['属实认定', 'Verified'],
    urged: ['催办', 'Urged'],
    suspended: ['挂起', 'Suspended'],
    resumed: ['恢复', 'Resumed'],
    final_reply: ['最终答复', 'Final reply'],
    corrected: ['改判', 'Corrected'],
  },
  satisfaction: {
    satisfied: ['满意', 'satisfied'],
    basically: ['基本满意', 'basically satisfied'],
    neutral: ['一般', 'neutral'],
    dissatisfied: ['不满意', 'dissatisfied'],
    none: ['不评价', 'no answer'],
  },
  substantiated: {
    yes: ['属实', 'true'],
    partly: ['部分属实', 'partly true'],
    no: ['不属实', 'not true'],
  },
  flag: {
    test_ticket: ['测试工单', 'Test ticket'],
    not_utility: ['非供电企业责任', 'Not the utility\'s matter'],
    multi_topic: ['多个诉求', 'Several topics'],
    truncated_scan: ['文本过长', 'Text too long'],
    incomplete: ['规则超限', 'A rule hit its limit'],
    false_claim: ['自称非投诉', 'Says it is no complaint'],
  },
  clock: {
    transfer: ['转派', 'Transfer'],
    contact: ['首次联系', 'First contact'],
    reply: ['答复', 'Reply'],
    arrive: ['到达现场', 'Arrival'],
    restore: ['恢复送电', 'Restoration'],
  },
  key: {
    customer: ['同户号', 'Same customer'],
    caller: ['同号码', 'Same phone'],
    address: ['同地址', 'Same address'],
    related: ['前期工单', 'Linked ticket'],
  },
  step: {
    field: ['来单自带标志', 'Given by the feed'],
    unit: ['供电单位表', 'Unit table'],
    customer: ['客户表', 'Customer table'],
    gazetteer: ['地名表', 'Gazetteer'],
    address: ['地址用词', 'Address words'],
    unknown: ['没有依据', 'No evidence'],
  },
  limit: {
    minutes: ['分钟', 'minutes'],
    hours: ['小时', 'hours'],
    workdays: ['个工作日', 'working days'],
    days: ['天', 'days'],
    day_end: ['天内当日', 'days, end of day'],
  },
};

/** What people say for a word of the API; the word itself when unknown. */
export function word(list, value) {
  const pair = words[list]?.[value];
  if (!pair) return value ?? '—';
  return current === 'en' ? pair[1] : pair[0];
}

/** [value, text] pairs of a list, for <select>. */
export const pairs = (list) => Object.keys(words[list]).map((value) => [value, word(list, value)]);

export const categories = ['service', 'business', 'outage', 'quality', 'grid'];

const counters = {
  received: ['受理', 'Accepted'],
  complaints: ['投诉', 'Complaints'],
  repeats: ['重复致电', 'Repeat calls'],
  third_calls: ['三次及以上', 'Third calls'],
  bursts: ['短时多次', 'Bursts'],
  overdue: ['超时工单', 'Overdue'],
  closed: ['已办结', 'Closed'],
  replied: ['已回单', 'Replied'],
  urged: ['被催办', 'Urged'],
  verified: ['已认定', 'Verified'],
  substantiated: ['属实', 'Substantiated'],
  revisited: ['已回访', 'Revisited'],
  satisfied: ['满意', 'Satisfied'],
  final_replies: ['最终答复', 'Final replies'],
  reply_judged: ['应答复投诉', 'Replies due'],
  reply_in_time: ['及时答复', 'Replied in time'],
  reviewed: ['已复核', 'Reviewed'],
  test_tickets: ['测试工单', 'Test tickets'],
};
export const counterName = (name) => counters[name]?.[current === 'en' ? 1 : 0] ?? name;

/** 1234567 as 1,234,567. */
export const number = (value) => (value === null || value === undefined ? '—'
  : Number(value).toLocaleString('en-US', { maximumFractionDigits: 2 }));
/** A share as '34.66 %'; '—' of nothing. */
export const percent = (part, whole) => (whole > 0 ? `${((part / whole) * 100).toFixed(2)} %` : '—');
