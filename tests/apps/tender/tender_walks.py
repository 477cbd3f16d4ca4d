"""Documents that the browser's walk hands in, and where its pictures go."""

from __future__ import annotations

import os
from typing import Any

REQUIREMENTS = """智慧园区管理平台需求说明
一、用户中心
1. 支持账号密码登录与短信验证码登录，提供角色权限管理
2. 用户信息管理：新增、修改、删除
二、资产管理功能
（1）资产台账登记、维护、领用、归还、报废等功能
（2）资产报表：提供 5 张报表，支持导出 Excel
（3）资产报废审批流程，支持多级审批
- 对接财务系统、门禁系统等 3 个外部系统接口
三、实施要求
系统测试与压力测试
部署上线：生产与测试 2 个环境
培训 3 场，提供用户手册
移动端小程序（工作量：15人天）
"""


def picture(page: Any, name: str) -> None:
    """Kept where TENDER_PICTURES says, for people to look at; nowhere otherwise."""
    if folder := os.environ.get("TENDER_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
