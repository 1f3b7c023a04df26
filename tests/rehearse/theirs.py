"""Makes a bundle as somebody else would write it: Flask without anything of Fastier's."""

import zipfile
from pathlib import Path

APPLICATION = """import os

from flask import Flask

application = Flask(__name__)


@application.get("/")
def home():
    return f"{os.environ['GREETING']} from {os.environ['RDS_HOSTNAME']}\\n"


@application.get("/about")
def about():
    return "about"
"""
OPTIONS = """option_settings:
  aws:elasticbeanstalk:command: {DeploymentPolicy: Rolling, BatchSizeType: Fixed, BatchSize: 1}
  aws:elasticbeanstalk:environment:process:default: {HealthCheckPath: /about}
"""


def bundle(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("application.py", APPLICATION)
        archive.writestr("requirements.txt", "flask==3.1.2\n")
        archive.writestr(".ebextensions/01.config", OPTIONS)
    return path
