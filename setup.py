"""What pyproject.toml cannot say: what is needed, and where files are installed.

Inside a wheel everything lies in `peftcore` and `app`: assets as `peftcore/assets`, pages as
`app/page_scripts` (not `app/pages`, which Streamlit would take for an app of the old kind).
"""

from pathlib import Path

from setuptools import find_packages, setup

LINES = Path(__file__).with_name("requirements.txt").read_text("utf-8").splitlines()

setup(
    install_requires=[line.split("#")[0].strip() for line in LINES if line[:1].isalpha()],
    packages=[
        *find_packages(include=["peftcore", "peftcore.*", "app", "app.*"]),
        *("peftcore.assets", "app.page_scripts"),
    ],
    package_dir={"peftcore.assets": "assets", "app.page_scripts": "pages"},
    package_data={
        "peftcore": ["rating/migrations/*.mako", "*/README.md"],
        "peftcore.assets": ["**/*"],
        "app": [".streamlit/*", "frontend/*"],
    },
    exclude_package_data={"peftcore.assets": ["screenshots/*"]},
)
