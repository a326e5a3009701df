"""The border of the command line: every command, and what no command can be meant to get."""

import errno
import functools
import json

import pytest
import typer
from support.commands import refused
from typer.testing import CliRunner

from peftcore.cli import app, groups
from peftcore.system import faults

NOT_FUZZED = {"app", "worker", "bench", "ship"}  # they serve, wait for work, or do hours of it
LONG = "a" * 300
NAMES = (LONG, "~no-such-user/x")
FILES = {
    "deep.json": '{"a":' * 100_000,
    "digits.json": json.dumps({"base": "x"})[:-1] + f', "seeds": {"9" * 6000}}}',
}
NUMBER = "9" * 6000


def leaves(group, path=()):
    """Yield every command with the words that call it."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if not path and name in NOT_FUZZED:
            continue
        if hasattr(command, "list_commands"):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


@functools.cache
def all_commands():
    return dict(leaves(typer.main.get_command(app)))


def takes_number(option):
    """Return whether an argument or option is a whole number or one with a point."""
    return option.type_descriptor.annotation in (int, float, int | None, float | None)


def arguments_for(command, text, number):
    """What a command gets when every text of it is this one and every number that one."""
    words = []
    for option in command.params:
        if option.name in ("help", "as_json"):
            continue
        value = number if takes_number(option) else text
        if option.param_type_name == "argument":
            words.append(value)
        elif not getattr(option, "is_flag", False) and option.required:
            words += [option.opts[0], value]
    return words


def outcome(words):
    """Return the exit status, and what was printed, of a command that may not raise."""
    done = CliRunner().invoke(app, words)
    return done.exit_code, f"{' '.join(words)[:200]}: {done.output[-500:]}"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in FILES]


@functools.cache
def built_commands():
    """The whole command line, and each of its commands by name."""
    whole = typer.main.get_command(app)
    return whole, {
        name: whole.get_command(typer.Context(whole), name) for name in groups.find_commands()
    }


@pytest.fixture
def away(home, monkeypatch):
    """A workspace of its own, and commands that are built once for all tests."""
    whole, built = built_commands()
    monkeypatch.setattr(groups.LazyGroup, "get_command", lambda self, ctx, name: built[name])
    monkeypatch.setattr("typer.testing._get_command", lambda _: whole)
    return home


def test_no_text_makes_a_command_raise(away, files):
    """A fault of ours is an error id in the log: there is none, whatever a command gets."""
    for words, command in all_commands().items():
        for text in (*NAMES, *files):
            given = arguments_for(command, text, "1")
            if given:
                status, output = outcome([*words, *given])
                refused_or_asked = status == 2 or "Aborted" in output
                assert refused_or_asked or (status == 0 and "error id" not in output), output
    assert not faults.log_file().exists(), faults.log_file().read_text()


def test_no_number_makes_a_command_raise(away):
    for words, command in all_commands().items():
        numbers = [option for option in command.params if takes_number(option)]
        options = [n.opts[0] for n in numbers if n.param_type_name == "option"]
        if not numbers:
            continue
        given = [*arguments_for(command, "x", NUMBER), *(w for o in options for w in (o, NUMBER))]
        status, output = outcome([*words, *given])
        assert status == 2, output
    assert not faults.log_file().exists(), faults.log_file().read_text()


@pytest.mark.parametrize(
    "setting",
    [
        "rank=" + "9" * 6000,
        "rank=" + "[" * 5000,
        "learning_rate=1e999",
        "learning_rate=NaN",
        "warmup=-Infinity",
        "=1",
        "rank=",
        f"{LONG}=1",
        "steps=1e3000",
    ],
)
def test_no_setting_makes_training_raise(away, setting):
    words = ("train", "--base", "tiny-t5", "--task", "miniworld_nli", "--method", "lora", "--set")
    assert len(refused(*words, setting)) < 1000


@pytest.mark.parametrize("name", ["PEFTCORE_HOME", "PEFTCORE_DATA", "PEFTCORE_MODELS"])
@pytest.mark.parametrize("value", ["~no-such-user/x", "/proc/nothing/here", LONG, "/dev/null/x"])
def test_a_folder_that_cannot_be_is_a_sentence(away, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    status, output = outcome(["runs"] if name == "PEFTCORE_HOME" else ["list"])
    assert status == 2 or (status == 0 and name != "PEFTCORE_HOME"), output
    assert "error id" not in output


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "nosuch://x",
        "sqlite:////proc/no/file",
        "postgresql://127.0.0.1:1/x",
        "sqlite://:9/x",
        "://",
        LONG,
    ],
)
def test_a_database_that_cannot_be_is_a_sentence(away, monkeypatch, url):
    monkeypatch.setenv("PEFTCORE_DATABASE", url)
    assert "database" in refused("jobs")


def test_what_the_machine_refuses_is_a_sentence_and_a_fault_of_ours_an_id(away, monkeypatch):
    def failing(error):
        def command(self, ctx):
            raise error

        return command

    output = {}
    for error in (
        OSError(errno.ENOSPC, "No space left on device", "/x/adapter.safetensors"),
        PermissionError(errno.EACCES, "Permission denied", "/x/report.html"),
        MemoryError(),
        ZeroDivisionError("ours"),
        FileNotFoundError(errno.ENOENT, "No such file", str(away / "runs" / "x")),
    ):
        monkeypatch.setattr(typer.core.TyperGroup, "invoke", failing(error))
        done = CliRunner().invoke(app, ["list"])
        output[type(error)] = (done.exit_code, done.stderr)
    assert output[OSError][0] == 2
    assert "what was written before is kept" in output[OSError][1]
    assert output[PermissionError] == (2, "Error: '/x/report.html': permission denied\n")
    assert output[MemoryError][0] == 2
    log = faults.log_file().read_text()
    for ours in (ZeroDivisionError, FileNotFoundError):
        status, sentence = output[ours]
        assert status == 1
        assert sentence.split("error id ")[1][:8] in log
    assert "Traceback" not in "".join(sentence for _, sentence in output.values())
    assert "ZeroDivisionError: ours" in log


def test_every_command_is_fuzzed_but_those_that_stay():
    reached = {words[0] for words in all_commands()}
    assert reached == set(groups.find_commands()) - NOT_FUZZED
