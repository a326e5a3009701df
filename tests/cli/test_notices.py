"""The command that shows where word goes, and tries it."""

from support.commands import call, printed, refused


def test_a_trial_is_kept_and_a_bad_address_said(home, monkeypatch):
    assert "no webhook" in call("notices").stdout
    value = printed("notices", "--send")
    assert [each["kind"] for each in value["recent"]] == ["trial"]
    monkeypatch.setenv("PEFTCORE_NOTICE_WEBHOOK", "http://127.0.0.1:1/x")
    assert "did not arrive" in refused("notices", "--send")
    assert "http://127.0.0.1:1" in call("notices").stdout
