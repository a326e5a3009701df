"""The command `security`: the register of risks, each with its control and the test of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from peftcore.cli import app
from peftcore.system import printing

WIDTH = 100  # signs of a line


@dataclass(frozen=True)
class Risk:
    """A row of the register; `tests` are files and names of functions, `lacks` what is not done."""

    name: str
    control: str
    tests: tuple[str, ...]
    lacks: str = ""


REGISTER = (
    Risk(
        "Pickled weights",
        "only safetensors are read, headers are checked before tensors; our checkpoints are such",
        (
            "tests/exchange/test_folders.py::test_a_pickle_is_refused_and_never_run",
            "tests/models/test_base_model.py::test_pickled_weights_are_not_read",
            "tests/exchange/test_folders.py::test_a_header_larger_than_any_model_needs_is_refused",
        ),
    ),
    Risk(
        "Code through configurations",
        "trust_remote_code is off and cannot be set; keys pass an allow-list; attention is ours",
        (
            "tests/models/test_config_keys.py"
            "::test_no_key_that_names_code_a_path_or_a_host_reaches_the_library",
            "tests/exchange/test_peft_import.py::test_every_setting_of_the_release_is_known",
        ),
    ),
    Risk(
        "Adapter on a wrong base",
        "adapters carry the fingerprint of the weights they belong to",
        (
            "tests/training/test_checkpoint.py::test_an_adapter_is_refused_on_another_base_of_the_same_shape",
        ),
    ),
    Risk(
        "Path traversal",
        "generated ids name folders, and what is typed is data only; members of zips are checked",
        (
            "tests/runs/test_store.py::test_only_an_id_becomes_a_path",
            "tests/runs/test_store.py::test_a_link_out_of_the_folder_is_refused",
            "tests/tasks/test_table.py::test_no_path_is_made_from_what_somebody_typed",
            "tests/system/test_zip_files.py::test_a_link_is_refused",
        ),
    ),
    Risk(
        "Tokens and labels as markup",
        "escaped at every border; no unsafe markup with data; scripts get escaped JSON",
        (
            "tests/app/figures/test_theme.py::test_data_never_become_markup",
            "tests/app/figures/test_attention.py"
            "::test_repeated_and_hostile_words_keep_their_own_columns_and_stay_text",
            "tests/browser/test_attention_page.py::test_hostile_words_are_shown_as_typed_and_run_nowhere",
            "tests/reports/test_write.py::test_data_never_become_markup",
        ),
    ),
    Risk(
        "Frames with the same origin",
        "words of the one frame are replaced by look-alikes; a policy keeps other sites out",
        (
            "tests/app/labs/attention/test_bertviz_view.py"
            "::test_a_hostile_token_is_text_and_reads_as_typed",
            "tests/app/state/test_http_policy.py::test_every_answer_carries_the_policies",
        ),
    ),
    Risk(
        "Formulas in tables",
        "cells that start like one are quoted, and negative numbers stay numbers",
        (
            "tests/app/ui/test_widgets.py::test_cells_that_start_like_formulas_are_quoted_and_numbers_survive",
            "tests/rating/test_export.py::test_no_cell_of_the_table_is_a_formula",
            "tests/exchange/test_bundle.py"
            "::test_a_text_like_a_formula_is_quoted_in_tables_and_a_negative_number_is_not",
        ),
    ),
    Risk(
        "Filters and expressions",
        "no eval and no query on texts: filters are widgets with types",
        ("tests/cli/test_security.py::test_no_text_is_evaluated_anywhere",),
    ),
    Risk(
        "Fetching by address",
        "only known bases and names on the hub with a pinned revision; addresses are not taken",
        ("tests/data/test_sources.py::test_the_hub_is_asked_by_name_and_pinned_revision",),
    ),
    Risk(
        "Uploads",
        "limits of bytes, rows, fields, cells, steps and points are settings, named in a sentence",
        (
            "tests/system/test_server_limits.py"
            "::test_what_is_asked_the_limit_and_its_setting_are_named",
            "tests/tasks/test_table.py::test_files_that_cannot_be_used_are_refused_in_words",
            "tests/data/test_tables.py::test_a_file_of_bad_lines_is_not_read_to_its_end",
        ),
    ),
    Risk(
        "Access across users",
        "roles, owners and a log of acts in the core; a name comes from a provider or one proxy",
        (
            "tests/system/test_rights.py"
            "::test_whoever_began_a_run_owns_it_and_only_they_or_an_admin_change_it",
            "tests/system/test_rights.py::test_the_log_is_only_added_to",
            "tests/app/state/test_http_policy.py::test_only_the_proxy_may_say_who_is_signed_in",
            "tests/rating/test_access.py::test_what_is_an_experimenters_is_refused_to_raters",
            "tests/rating/test_access.py::test_a_raters_item_is_as_if_absent_to_others",
        ),
    ),
    Risk(
        "Blindness leaks",
        "random ids; no method, run or seed in what a rater is given",
        (
            "tests/rating/test_access.py::test_nothing_a_rater_is_given_names_a_method_a_run_or_a_seed",
            "tests/browser/test_rate_page.py"
            "::test_thirty_items_by_keyboard_with_no_key_lost_and_no_method_named",
        ),
    ),
    Risk(
        "Secrets",
        "only a hash of a link's secret is kept; broken secrets let nobody in",
        (
            "tests/rating/test_access.py::test_the_secret_of_a_link_is_stored_nowhere",
            "tests/app/state/test_access.py::test_secrets_that_cannot_be_read_let_nobody_in",
        ),
    ),
    Risk(
        "Forms sent twice",
        "each act has a number that is unique in the database",
        (
            "tests/rating/test_submit.py::test_a_rating_that_arrives_twice_counts_once",
            "tests/app/rating/test_session.py::test_acts_that_arrive_twice_count_once",
        ),
    ),
    Risk(
        "Races on the database",
        "write locks at the start of transactions, WAL, 30 s of patience, unique indices",
        (
            "tests/system/test_database.py::test_no_update_of_eight_processes_is_lost",
            "tests/rating/test_together.py::test_eight_raters_are_never_more_than_the_overlap",
            "tests/jobs/test_queue.py::test_a_spec_submitted_twice_is_one_job",
        ),
    ),
    Risk(
        "Killing the wrong process",
        "number, start time, token and host are compared before each signal",
        (
            "tests/runs/test_store.py::test_a_recycled_process_number_does_not_keep_a_run_alive",
            "tests/system/test_processes.py"
            "::test_a_clock_that_is_set_does_not_make_a_living_process_another",
        ),
    ),
    Risk(
        "Orphans after a crash",
        "heartbeats; what has no living process is lost and can be resumed to the same bytes",
        (
            "tests/jobs/test_queue.py::test_a_job_whose_worker_was_killed_is_lost_and_frees_its_device",
            "tests/training/test_trainer.py::test_a_run_resumes_from_its_checkpoint_to_the_same_bytes",
            "tests/benchmarks/test_bench_soak.py"
            "::test_kills_full_disks_and_a_clock_that_is_set_lose_nothing",
        ),
    ),
    Risk(
        "Out of memory",
        "counted before; fewer seeds share a pass where it runs out; a child process does the work",
        (
            "tests/training/test_trainer.py::test_fewer_seeds_ride_together_once_memory_runs_out",
            "tests/training/test_evaluation.py::test_texts_are_halved_where_memory_runs_out",
        ),
    ),
    Risk(
        "Full disk and partial files",
        "room is asked for first; on the disk before it gets its name; no space is a sentence",
        (
            "tests/training/test_run_training.py"
            "::test_a_disk_without_room_for_the_checkpoint_is_named_before_training",
            "tests/system/test_atomic_files.py"
            "::test_a_file_and_its_name_are_on_the_disk_before_the_move_returns",
            "tests/cli/test_border.py"
            "::test_what_the_machine_refuses_is_a_sentence_and_a_fault_of_ours_an_id",
            "tests/benchmarks/test_bench_soak.py"
            "::test_kills_full_disks_and_a_clock_that_is_set_lose_nothing",
            "tests/system/test_atomic_files.py"
            "::test_a_file_that_finds_no_room_leaves_the_old_one_and_nothing_else",
        ),
    ),
    Risk(
        "NaN and divergence",
        "a seed that diverges stops with its last good state; no adapter with NaN is read",
        (
            "tests/training/test_trainer.py"
            "::test_divergence_stops_the_seed_with_its_last_good_state_and_leaves_the_others",
            "tests/training/test_checkpoint.py"
            "::test_an_adapter_with_a_value_that_is_no_number_is_refused_by_name",
            "tests/system/test_safetensors_files.py"
            "::test_weights_that_are_no_numbers_are_refused_by_name_and_count",
            "tests/cli/test_results.py"
            "::test_a_seed_whose_score_is_no_number_is_named_and_not_averaged",
        ),
    ),
    Risk(
        "Loss of a session",
        "drafts are in the database, jobs and views in the address",
        (
            "tests/rating/test_assignment.py::test_resumes_at_the_same_item_from_another_machine",
            "tests/browser/test_app.py::test_train_watch_refresh_and_compare",
        ),
    ),
    Risk(
        "Races in caches",
        "caches are bounded, keyed by versions of files, and never changed by who reads them",
        (
            "tests/app/state/test_cache.py::test_every_cache_is_bounded_and_no_page_has_one_of_its_own",
            "tests/app/state/test_cache.py::test_each_workspace_has_its_own_runs",
        ),
    ),
    Risk(
        "Tracebacks and telemetry",
        "a fault is an id on the screen and a traceback in the log; usage statistics are off",
        (
            "tests/pages/test_pages.py::test_a_fault_of_ours_becomes_an_error_id_and_a_log_entry",
            "tests/cli/test_training.py::test_a_fault_of_ours_is_status_one_with_an_error_id",
            "tests/cli/test_security.py::test_telemetry_error_details_and_foreign_hosts_are_off",
        ),
    ),
    Risk(
        "Host header, CORS, XSRF",
        "this machine only; page and WebSocket refuse foreign hosts alike; XSRF is on",
        (
            "tests/app/state/test_http_policy.py::test_a_foreign_host_gets_no_page",
            "tests/cli/test_security.py::test_telemetry_error_details_and_foreign_hosts_are_off",
        ),
    ),
    Risk(
        "Figures about the server",
        "closed unless PEFTCORE_METRICS=1",
        (
            "tests/app/state/test_http_policy.py::test_figures_about_the_server_are_closed_unless_opened",
        ),
    ),
    Risk(
        "Folders that others read",
        "the workspace and the log are their owner's alone",
        ("tests/app/ui/test_errors.py::test_only_the_owner_may_read_the_log",),
    ),
    Risk(
        "Dependencies",
        "pinned above the known holes and locked by hash, torch excepted; licences are on a list",
        (
            "tests/cli/test_security.py::test_every_package_is_pinned_at_or_above_its_floor",
            "tests/system/test_packages.py::test_every_release_is_locked_by_its_hashes",
            "tests/system/test_packages.py::test_every_licence_is_on_the_list",
        ),
    ),
)


@app.command()
def security(
    as_json: printing.AsJson = False,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only rows of which something is missing.")
    ] = False,
) -> None:
    """Print the register of risks: what is done about each, and the test that shows it."""
    rows = [risk for risk in REGISTER if risk.lacks or not open_only]

    def lines() -> Iterator[str]:
        for number, risk in enumerate(REGISTER, 1):
            if risk not in rows:
                continue
            yield f"{number:>2}  {risk.name}"
            yield textwrap.indent(textwrap.fill(risk.control, WIDTH), " " * 4)
            yield from (f"    {test}" for test in risk.tests)
            if risk.lacks:
                yield f"    not yet: {risk.lacks}"
        done = sum(not risk.lacks for risk in REGISTER)
        yield f"{done} of {len(REGISTER)} rows have control and test"

    printing.print_result([asdict(risk) for risk in rows], as_json, lines)
