"""`diagnose` of runs made from the command line, and of one without an adapter."""

from support.commands import call, printed, refused
from support.runs import make_run


def test_a_trained_run_is_judged_by_its_curves_and_its_adapter(three):
    findings = {each["name"]: each for each in printed("diagnose", three[0])}
    assert {"learning", "best_step", "gradient", "moved", "effect"} <= set(findings)
    assert findings["gradient"]["verdict"] == "fine"
    assert "of 3 (median over seeds)" in findings["best_step"]["words"]
    lines = call("diagnose", three[0], "--curves-only").stdout
    assert "[problem]" in lines
    assert f"runs again {three[0]} --set learning_rate=" in lines
    assert "gradient" not in lines.lower()


def test_a_run_without_an_adapter_is_judged_by_its_curves(home):
    findings = {each["name"] for each in printed("diagnose", make_run("lora").id)}
    assert "learning" in findings
    assert "gradient" not in findings
    assert "no run 'abc'" in refused("diagnose", "abc")
