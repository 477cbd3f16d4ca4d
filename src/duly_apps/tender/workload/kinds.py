"""The kinds of work: the words that show them, what one costs in person-days, and who does it.

The ranges are ours: small pieces of business software, done by people who know their tools. They are where to
begin a talk, and each result says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Pair = tuple[str, str]

ROLES: dict[str, Pair] = {
    "analyst": ("需求分析", "Analyst"),
    "designer": ("界面设计", "Designer"),
    "frontend": ("前端开发", "Front end"),
    "backend": ("后端开发", "Back end"),
    "data": ("数据工程", "Data"),
    "tester": ("测试", "Tester"),
    "operator": ("运维部署", "Operations"),
    "trainer": ("培训交付", "Training"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of work; the shares of its roles add up to 1."""

    name: str
    title: Pair
    words: re.Pattern[str]
    low: float
    high: float
    roles: dict[str, float]
    #: What is counted when the text says how many: 12 个接口, 3 reports.
    units: str = ""


def _kind(name: str, title: Pair, words: str, days: tuple[float, float], roles: str, units: str = "") -> Kind:
    shares = {role: int(share) / 100 for role, share in (one.split("=") for one in roles.split())}
    pattern = re.compile(words, re.IGNORECASE)
    return Kind(name=name, title=title, words=pattern, low=days[0], high=days[1], roles=shares, units=units)


#: The first whose words stand in the text is its kind: the rare before the common.
KINDS = (
    _kind(
        "training",
        ("培训与文档", "Training and documents"),
        r"培训|用户手册|操作手册|技术文档|交付文档|\btraining\b|\bmanuals?\b|user guide|documentation",
        (1, 3),
        "trainer=80 analyst=20",
        r"场|次|份|sessions?|manuals?",
    ),
    _kind(
        "migration",
        ("数据迁移", "Data migration"),
        r"迁移|历史数据|旧系统.{0,8}导入|\bmigrat\w+|legacy data",
        (4, 12),
        "data=60 backend=20 tester=20",
        r"张表|个系统|tables?|systems?",
    ),
    _kind(
        "deployment",
        ("部署上线", "Deployment"),
        r"部署|上线|安装调试|容器化|\bdeploy\w*|\binstall\w*|go-live|roll-?out",
        (2, 5),
        "operator=80 tester=20",
        r"套|个环境|environments?|sites?",
    ),
    _kind(
        "acceptance",
        ("测试与验收", "Testing and acceptance"),
        r"系统测试|集成测试|压力测试|验收测试|试运行|acceptance test|load test|system test|test plan",
        (3, 8),
        "tester=80 analyst=20",
    ),
    _kind(
        "integration",
        ("系统对接", "Integration"),
        r"接口|对接|集成|第三方|单点登录|\bAPIs?\b|\bintegrat\w+|\bSSO\b"
        r"|single sign-on|third[- ]party|web ?hooks?",
        (3, 8),
        "analyst=15 backend=60 tester=25",
        r"个?(?:外部)?(?:接口|系统)|interfaces?|systems?|APIs?",
    ),
    _kind(
        "security",
        ("安全", "Security"),
        r"等保|加密|脱敏|审计日志|安全加固|备份|容灾|\bencrypt\w*|\baudit (?:log"
        r"|trail)|\bbackups?\b|penetration|hardening",
        (2, 6),
        "backend=55 operator=20 tester=25",
    ),
    _kind(
        "performance",
        ("性能与可用性", "Performance and availability"),
        r"并发|响应时间|吞吐|高可用|可用性|性能|\bconcurren\w+|response time"
        r"|throughput|availability|\bperformance\b",
        (3, 8),
        "backend=50 operator=25 tester=25",
    ),
    _kind(
        "intelligence",
        ("智能能力", "Intelligence"),
        r"大模型|人工智能|智能|识别|推荐|预测|OCR|\bAI\b"
        r"|machine learning|recogni\w+|recommend\w*|forecast\w*",
        (6, 18),
        "data=45 backend=30 tester=15 analyst=10",
    ),
    _kind(
        "report",
        ("报表与看板", "Reports and dashboards"),
        r"报表|统计|看板|大屏|图表|分析|\breports?\b|\bdashboards?\b|\bcharts?\b|statistics|analytics",
        (2, 5),
        "analyst=15 frontend=40 backend=30 tester=15",
        r"张(?:报表)?|[个项](?:常用)?(?:报表|看板|图表)|reports?|dashboards?|charts?",
    ),
    _kind(
        "workflow",
        ("流程审批", "Workflow"),
        r"审批|流程|流转|工作流|\bworkflows?\b|\bapprov\w+|\bescalat\w+",
        (4, 10),
        "analyst=20 frontend=25 backend=40 tester=15",
        r"个?流程|条流程|类流程|workflows?|processes",
    ),
    _kind(
        "access",
        ("登录与权限", "Sign-in and permissions"),
        r"登录|权限|认证|角色|\blog[- ]?in\b|\bsign[- ]in\b"
        r"|permission\w*|\broles?\b|authenticat\w+|authori[sz]\w+",
        (3, 6),
        "analyst=10 frontend=25 backend=45 tester=20",
    ),
    _kind(
        "mobile",
        ("移动端", "Mobile"),
        r"小程序|移动端|手机端|\bAPP\b|安卓|\bmobile\b|\biOS\b|\bAndroid\b",
        (6, 15),
        "designer=15 frontend=50 backend=15 tester=20",
    ),
    _kind(
        "notice",
        ("消息通知", "Notifications"),
        r"通知|消息|提醒|短信|推送|邮件|\bnotif\w+|\bremind\w*|\bSMS\b|\be-?mails?\b|\bpush\b",
        (1.5, 4),
        "frontend=20 backend=60 tester=20",
        r"种渠道|类消息|channels?",
    ),
    _kind(
        "records",
        ("信息管理", "Records"),
        r"管理|录入|维护|登记|新增|修改|删除|台账|\bmanage\w*|\bcreat\w+"
        r"|\bedit\w*|\bdelete\w*|\bmaintain\w*|\bregist\w+",
        (2, 5),
        "analyst=10 designer=10 frontend=35 backend=30 tester=15",
        r"类(?:信息|数据)|张表单|个表单|forms?|entities",
    ),
    _kind(
        "exchange",
        ("导入导出", "Import and export"),
        r"导入|导出|上传|下载|打印|\bimport\w*|\bexport\w*|\bupload\w*|\bdownload\w*|\bprint\w*",
        (1.5, 4),
        "frontend=30 backend=50 tester=20",
        r"种格式|formats?",
    ),
    _kind(
        "search",
        ("查询检索", "Search"),
        r"查询|检索|搜索|筛选|\bsearch\w*|\bfilter\w*|\bquer(?:y|ies)\b|look up",
        (1.5, 4),
        "frontend=35 backend=45 tester=20",
    ),
)
OTHER = _kind(
    "other", ("其他功能", "Other function"), r"", (2, 6), "analyst=15 frontend=30 backend=35 tester=20"
)
TITLES = {kind.name: kind.title for kind in (*KINDS, OTHER)}


def kind_of(text: str) -> Kind:
    """What kind of work a requirement is."""
    return next((kind for kind in KINDS if kind.words.search(text)), OTHER)
