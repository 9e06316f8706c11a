"""What is guessed of a source, from real data and from made columns, and what is refused."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data import inference_sample
from mainspring.data.inference import Inference, infer
from mainspring.data.inference_kinds import Hints, guess_kind
from mainspring.data.parsing import parse
from mainspring.data.reading import read_batches
from mainspring.domain.schema import Column, Kind, Severity
from mainspring.domain.source import Source
from mainspring.domain.task import Task
from mainspring.errors import DataError, MainspringError, SourceFormatError, TargetError, ValueParseError


def kind_of(*texts: str | None, name: str = "x", repeat: int = 1, **hints: Any) -> Column:
    raw = pl.Series(name, list(texts) * repeat, dtype=pl.String)
    return guess_kind(raw, Hints(**hints)).column


def read(found: Inference, root: Path) -> pl.DataFrame:
    return pl.concat(read_batches(found.source, found.schema, root))


# Kinds


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "2", "-3"], Kind.INTEGER),
        (["1", None, "3"], Kind.INTEGER),
        (["0", "1", "1"], Kind.INTEGER),
        (["1.0", "2.0"], Kind.NUMBER),
        (["1", "2.5"], Kind.NUMBER),
        (["1e5", "2"], Kind.NUMBER),
        (["001", "002", "001"], Kind.CATEGORY),
        (["12345678901234567890", "12345678901234567891"], Kind.ID),
        (["9223372036854775807", "1"], Kind.INTEGER),
        (["true", "false"], Kind.BOOLEAN),
        (["True", "FALSE", "yes", "N", "1"], Kind.BOOLEAN),
        (["Y", "N"], Kind.BOOLEAN),
        (["t", "f"], Kind.BOOLEAN),
        (["Yes", "No", "No phone service"], Kind.CATEGORY),
        (["M", "F"], Kind.CATEGORY),
        (["y", "y"], Kind.CATEGORY),
        (["2026-01-31", "2026-02-01"], Kind.TIME),
        (["2026-01-31T09:00:00Z", "2026-02-01 10:00"], Kind.TIME),
        (["09:00", "10:30"], Kind.CATEGORY),
        (["a.png", "b.JPG"], Kind.IMAGE),
        (["?", "", None], Kind.CATEGORY),
        ([None, None], Kind.CATEGORY),
        (["1.2.3", "1.2.4"], Kind.CATEGORY),
        (["1,5", "2,5"], Kind.CATEGORY),
    ],
)
def test_kinds(texts: list[str | None], kind: Kind) -> None:
    assert kind_of(*texts).kind is kind


def test_words_for_missing_are_noted_where_they_are_seen() -> None:
    assert kind_of("1", "?", "NA", "", None).missing == ("", "?", "NA")
    assert kind_of("1.5", "unknown").missing == ("unknown",)
    assert kind_of("2026-01-31", "n/a").missing == ("n/a",)
    assert kind_of("a", "b", "?", repeat=9).missing == ("?",)
    assert kind_of("a", "none", "unknown", repeat=9).missing == ()  # among labels these are labels
    assert kind_of("DE", "FR", "NA", repeat=9).missing == ()  # Namibia


def test_blank_and_missing_are_told_apart() -> None:
    assert kind_of("a", "", None, repeat=9).missing == ()  # both in the file: two things
    assert kind_of("a", "", repeat=9).missing == ("",)
    assert kind_of("a", " ", None, repeat=9) == kind_of("a", " ", None, repeat=9)
    assert kind_of("1", "", None).missing == ("",)


def test_blanks_around_values_are_dropped_where_seen() -> None:
    assert kind_of(" 39", " ?").strip
    assert kind_of(" 39", " ?").missing == ("?",)
    assert not kind_of("39").strip


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["31.01.2026", "01.02.2026"], "%d.%m.%Y"),
        (["01.02.2026", "01.03.2026"], "%d.%m.%Y"),
        (["01/31/2026", "02/01/2026"], "%m/%d/%Y"),
        (["31/01/2026", "01/02/2026"], "%d/%m/%Y"),
        (["01/02/2026", "02/02/2026", "03/02/2026", "04/02/2026"], "%d/%m/%Y"),  # days that lie close together
        (["01/02/2026", "01/03/2026", "01/04/2026", "01/05/2026"], "%m/%d/%Y"),
        (["05/12/2025", "02/01/2026"], "%d/%m/%Y"),  # so read, in order
        (["31.01.26 09:05", "01.02.26 10:00"], "%d.%m.%y %H:%M"),
        (["1/31/2026 3:04 PM", "2/1/2026 11:00 AM"], "%m/%d/%Y %I:%M %p"),
        (["31-01-2026 09:05:06", "01-02-2026 00:00:00"], "%d-%m-%Y %H:%M:%S"),
        (["2026/01/31", "2026/02/01"], "%Y/%m/%d"),
        (["05-Jan-2026", "06-Feb-2026"], "%d-%b-%Y"),
        (["5 January 2026", "6 May 2026"], "%d %B %Y"),
        (["2026-01-31 09:00:00.5", "2026-01-31"], "iso"),
    ],
)
def test_local_forms_of_times(texts: list[str], form: str) -> None:
    column = kind_of(*texts)
    assert (column.kind, column.time_format) == (Kind.TIME, form)
    assert parse(pl.Series("x", texts), column).bad is None


@pytest.mark.parametrize(
    ("name", "texts", "form"),
    [
        ("created_at", ["1400269500", "1362683700"], "epoch_s"),
        ("eventTime", ["1400269500123", "1362683700123"], "epoch_ms"),
        ("amount", ["1400269500", "1362683700"], None),
        ("created_at", ["1", "2"], None),
    ],
)
def test_epochs_need_a_name_that_says_a_time(name: str, texts: list[str], form: str | None) -> None:
    assert kind_of(*texts, name=name).time_format == form


def test_ids() -> None:
    assert kind_of(*(f"{n:04d}-AB" for n in range(50))).kind is Kind.ID
    assert kind_of(*map(str, range(0, 500, 7)), name="user_id").kind is Kind.ID
    assert kind_of(*map(str, range(0, 500, 7)), name="amount").kind is Kind.INTEGER
    assert kind_of(*map(str, range(50)), name="x").kind is Kind.ID  # counts the rows
    assert kind_of("1", "2", "1", name="vendor_id", repeat=9).kind is Kind.INTEGER
    assert kind_of(*(f"C{n}" if n % 50 == 0 else str(n * 3) for n in range(500)), name="invoice").kind is Kind.ID


def test_free_text() -> None:
    assert kind_of(*(f"the {n}th remark about nothing" for n in range(50))).kind is Kind.TEXT


def test_strings_by_their_own_type_are_no_numbers() -> None:
    assert kind_of("1", "2", "1", repeat=9, strings=True).kind is Kind.CATEGORY
    assert kind_of("2026-01-31", "2026-02-01", strings=True).kind is Kind.TIME


def test_a_text_in_a_parquet_file_is_a_text(tmp_path: Path) -> None:
    pl.DataFrame({"zip": ["10001", "10002"] * 9, "size": [1, 2] * 9}).write_parquet(tmp_path / "a.parquet")
    schema = infer(Source("a.parquet"), tmp_path).schema
    assert (schema["zip"].kind, schema["size"].kind) == (Kind.CATEGORY, Kind.INTEGER)


def test_a_target_keeps_the_labels_of_the_data() -> None:
    assert kind_of("Yes", "No", target=True).kind is Kind.CATEGORY
    assert kind_of("true", "false", target=True).kind is Kind.BOOLEAN
    assert kind_of("1", "0", target=True).kind is Kind.INTEGER
    assert kind_of("a.", "b.", target=True).drop_dot
    assert kind_of("a.", "a", "b", target=True).drop_dot
    assert not kind_of("Corp.", "b", target=True).drop_dot  # its own label
    assert kind_of("a", "b", target=True).drop_dot


def test_types_of_tables_stand() -> None:
    frame = pl.DataFrame(
        {
            "i": [5, None, 7],
            "f": [1.0, float("nan"), 2.0],
            "s": ["1", "2", "1"],
            "b": [True, None, False],
            "c": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
            "created_at": [1400269500, 1362683700, 1362683701],
            "big": pl.Series([2**64 - 1, 1, 2], dtype=pl.UInt64),
            "list": [[1], [2], [3]],
        }
    )
    kinds = {series.name: guess_kind(series, Hints(strings=True)).column.kind.value for series in frame}
    assert kinds == {
        "i": "integer",
        "f": "number",
        "s": "category",
        "b": "boolean",
        "c": "category",
        "created_at": "time",
        "big": "id",
        "list": "text",
    }
    for series in frame:
        assert parse(series, guess_kind(series, Hints()).column).bad is None


values = st.one_of(
    st.none(), st.text(max_size=6), st.integers().map(str), st.floats().map(str), st.dates().map(str),
    st.sampled_from(["?", "", " ", "NA", "yes", "no", "001", "31.12.2026", "inf"]),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(values, min_size=1, max_size=30), target=st.booleans())
def test_a_guess_reads_its_own_column_or_says_what_is_wrong(texts: list[str | None], target: bool) -> None:
    raw = pl.Series("x", texts, dtype=pl.String)
    guess = guess_kind(raw, Hints(target=target))
    parsed = parse(raw, guess.column)
    if parsed.bad is not None:
        assert (
            "must be mended" in guess.reason
            or any(
                text is not None and text.strip().lower().strip("+-") in ("inf", "infinity", "nan")
                for text in texts
            )
            or "e" in "".join(text or "" for text in texts).lower()
        )
    assert guess.reason


# Real data


def test_adult(real_data: Path, tmp_path: Path) -> None:
    train = infer(Source("adult/adult_train.csv"), real_data, target="income")
    test = infer(Source("adult/adult_test.csv"), real_data, target="income")
    both = infer(Source("adult/*.csv"), real_data, target="income")
    for found in (train, test, both):
        assert found.schema["income"].categories == ("<=50K", ">50K")
        assert (found.task, found.positive, found.key, found.time) == (Task.BINARY, ">50K", None, None)
        assert found.schema["workclass"].missing == ("?",)
        assert found.schema["workclass"].strip
        assert found.schema["age"].kind is Kind.INTEGER
        assert len(found.features) == 14
    assert (train.rows, test.rows, both.rows) == (32_561, 16_281, 48_842)
    labels = read(both, real_data).get_column("income").value_counts(sort=True).rows()
    assert labels == [("<=50K", 37_155), (">50K", 11_687)]
    # A schema learnt on the one reads the other to the same labels.
    crossed = pl.concat(read_batches(test.source, train.schema, real_data)).get_column("income")
    assert sorted(crossed.unique()) == ["<=50K", ">50K"]


def test_housing(real_data: Path) -> None:
    found = infer(Source("california_housing/housing.csv"), real_data, target="median_house_value")
    missing = {
        name: count for name, count in read(found, real_data).null_count().row(0, named=True).items() if count
    }
    assert missing == {"total_bedrooms": 207}
    assert found.task is Task.REGRESSION
    assert [column.name for column in found.schema if column.nullable] == ["total_bedrooms"]
    assert found.schema["ocean_proximity"].kind is Kind.CATEGORY


def test_churn(real_data: Path) -> None:
    found = infer(Source("telco_churn/telco_churn.csv"), real_data, target="Churn")
    charges = found.schema["TotalCharges"]
    assert (charges.kind, charges.missing, charges.strip) == (Kind.NUMBER, ("",), True)
    assert "11 rows" in found.reasons["TotalCharges"]
    assert read(found, real_data).get_column("TotalCharges").null_count() == 11
    assert (found.key, found.schema["customerID"].kind) == ("customerID", Kind.ID)
    assert (found.schema["customerID"].unique, found.schema["customerID"].severity) == (True, Severity.ERROR)
    assert (found.task, found.positive, found.schema["Churn"].categories) == (Task.BINARY, "Yes", ("No", "Yes"))
    assert found.schema["Partner"].kind is Kind.BOOLEAN
    assert "customerID" not in found.features


def test_chicago(real_data: Path) -> None:
    found = infer(Source("chicago_taxi/big_tipper_label.csv"), real_data, target="big_tipper")
    assert (found.time, found.schema["trip_start_timestamp"].time_format) == ("trip_start_timestamp", "epoch_s")
    assert (found.task, found.positive) == (Task.BINARY, "1")
    assert "tips" in found.features
    assert found.schema["company"].nullable


def test_elec(real_data: Path) -> None:
    found = infer(Source("elec2/elec_dated.csv"), real_data, target="class")
    assert found.time is None
    assert "--time date" in found.time_reason
    assert found.positive == "UP"
    named = infer(Source("elec2/elec_dated.csv"), real_data, target="class", time="date")
    assert (named.time, named.schema["date"].kind) == ("date", Kind.NUMBER)
    assert "date" not in named.features
    numbers = infer(Source("elec2/elec.csv"), real_data, target="class")
    assert (numbers.task, numbers.positive) == (Task.BINARY, "1")


def test_a_typed_file_and_others(real_data: Path) -> None:
    census = infer(Source("nannyml/employment_MA_reference.pq"), real_data)
    assert census.rows == 68_785
    assert census.target_candidates
    assert (census.target, census.task) == (None, None)
    taxi = infer(Source("nyc_taxi/*-01.csv"), real_data, target="tip_amount")
    assert taxi.time == "pickup_datetime"
    assert taxi.schema["passenger_count"].minimum == 1
    penguin = infer(Source("penguin/labelled.csv"), real_data, target="species")
    assert penguin.task is Task.MULTICLASS
    drivers = infer(Source("feast/remote_offline_driver_stats.parquet"), real_data)
    assert drivers.time == "event_timestamp"
    with pytest.raises(SourceFormatError, match="no header"):
        infer(Source("sea/SEA_training_data.csv"), real_data)


# Roles


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clicks.csv"


def table(file: Path, header: str, *rows: str) -> Path:
    file.write_text("\n".join([header, *rows]) + "\n")
    return file.parent


def test_candidates_are_listed_where_no_target_is_named(file: Path) -> None:
    root = table(
        file,
        "id,size,color,churned",
        *(f"k{n},{n * 1.5},{'rgb'[n % 3]},{('no', 'yes')[n % 2]}" for n in range(40)),
    )
    found = infer(Source("clicks.csv"), root)
    assert found.target_candidates[0][0] in ("churned",)
    assert {name for name, _ in found.target_candidates} == {"size", "color", "churned"}


def test_what_was_found_of_the_file_stands_in_the_source(file: Path) -> None:
    file.write_text("stadt;preis;ja\nKöln;1,5;x\nMünchen;2,5;y\nDüren;3,25;x\n", encoding="cp1252")
    found = infer(Source("clicks.csv"), file.parent)
    assert (found.source.delimiter, found.source.decimal, found.source.encoding) == (";", ",", "cp1252")
    assert read(found, file.parent).get_column("preis").to_list() == [1.5, 2.5, 3.25]
    assert found.schema["preis"].maximum == 3.425


def test_named_columns_must_be_there_and_make_sense(file: Path) -> None:
    root = table(file, "when,size,label", *(f"x{n % 3},{n},{n % 2}" for n in range(40)))
    for options, told in (
        ({"key": "sise"}, "no column 'sise' for the key; did you mean 'size'"),
        ({"key": "label"}, "'label' is no key: of 40 rows 38 repeat a value; name the column that names each row"),
        ({"time": "wen"}, "no column 'wen' for the time; did you mean 'when'"),
        ({"time": "when"}, "'when' holds no times, e.g. 'x0'"),
    ):
        with pytest.raises(DataError, match=told):
            infer(Source("clicks.csv"), root, target="label", **options)  # type: ignore[arg-type]
    named = infer(Source("clicks.csv"), root, target="label", key="size")
    assert (named.key, named.schema["size"].kind) == ("size", Kind.ID)


@pytest.mark.parametrize(
    ("rows", "target", "told"),
    [
        (["1,a", "2,b"], "lable", r"no column 'lable' to predict; did you mean 'label'"),
        (["1,a", "2,a"], "label", "same value 'a' in all 2 rows"),
        (["1,", "2,"], "label", "missing in all 2 rows"),
        (["1,?", "2,?"], "label", "missing in all 2 rows"),
        (["1,a", "2,a", "3,b"], "label", "one row only of the class 'b'"),
        ([f"{n},{n}x y" for n in range(40)], "label", "40 different texts"),
    ],
)
def test_targets_that_cannot_be_learnt(file: Path, rows: list[str], target: str, told: str) -> None:
    root = table(file, "size,label", *rows)
    with pytest.raises(TargetError, match=told):
        infer(Source("clicks.csv"), root, target=target)


def test_a_task_that_cannot_be_is_told(file: Path) -> None:
    root = table(file, "size,label", *(f"{n},{'abc'[n % 3]}" for n in range(40)))
    with pytest.raises(TargetError, match="a binary task needs two"):
        infer(Source("clicks.csv"), root, target="label", task=Task.BINARY)
    with pytest.raises(TargetError, match="a regression needs numbers"):
        infer(Source("clicks.csv"), root, target="label", task=Task.REGRESSION)
    assert infer(Source("clicks.csv"), root, target="size", task=Task.REGRESSION).task is Task.REGRESSION


def test_three_times_of_ten_thousand_that_do_not_parse_are_named(file: Path) -> None:
    rows = [f"2026-01-{n % 28 + 1:02d} 10:00:00,{n % 2}" for n in range(10_000)]
    for place in (17, 4_999, 9_998):
        rows[place] = f"2026-13-{place},1"
    root = table(file, "at,label", *rows)
    for time in ("at", None):
        with pytest.raises(
            ValueParseError, match=r"clicks\.csv: column 'at' has 3 values that are no times"
        ) as caught:
            infer(Source("clicks.csv"), root, target="label", time=time)
        assert caught.value.where["rows"] == [18, 5_000, 9_999]
        assert "row 18 ('2026-13-17')" in str(caught.value)


@pytest.mark.parametrize("odd", ["inf", "-Infinity", "1e999"])
def test_infinity_is_an_error_that_names_its_row(file: Path, odd: str) -> None:
    root = table(file, "size,label", *(f"{n}.5,{n % 2}" for n in range(40)), f"{odd},1")
    with pytest.raises(ValueParseError, match=rf"row 41 \('{odd}'\)"):
        infer(Source("clicks.csv"), root, target="label")


def test_nan_is_missing_and_said_so(file: Path) -> None:
    root = table(file, "size,label", *(f"{n}.5,{n % 2}" for n in range(40)), "NaN,1")
    found = infer(Source("clicks.csv"), root, target="label")
    assert found.schema["size"].missing == ("NaN",)
    assert "'NaN' means missing" in found.reasons["size"]


def test_a_word_among_numbers_is_a_mistake(file: Path) -> None:
    root = table(file, "age,label", *(f"{n % 50},{n % 2}" for n in range(400)), "thirty,1")
    with pytest.raises(ValueParseError, match=r"row 401 \('thirty'\)"):
        infer(Source("clicks.csv"), root, target="label")


def test_files_with_different_columns_are_told(file: Path) -> None:
    table(file, "size,label", "1,a", "2,b")
    (file.parent / "more.csv").write_text("size,lable\n1,a\n")
    with pytest.raises(SourceFormatError, match=r"more\.csv lacks 'label' and has 'lable' besides"):
        infer(Source("*.csv"), file.parent)


def test_a_great_source_is_judged_by_the_first_rows_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("x,label\n" + f"{name},1\n{name},0\n" * 500)
    sample = inference_sample.read_sample(Source("*.csv"), tmp_path, most_rows=100)
    assert (sample.frame.height, sample.complete) == (100, False)
    assert sample.parts == (("a.csv", 50), ("b.csv", 50))
    assert inference_sample.read_sample(Source("*.csv"), tmp_path).complete
    bounded = inference_sample.read_sample(Source("*.csv"), tmp_path, most_bytes=1)
    assert bounded.complete  # one batch a file is always read


def test_ranges_have_slack_but_keep_their_sign(file: Path) -> None:
    root = table(file, "price,month,label", *(f"{n}.5,{n % 12 + 1},{n % 2}" for n in range(101)))
    schema = infer(Source("clicks.csv"), root, target="label").schema
    assert (schema["price"].minimum, schema["price"].maximum) == (0.0, 110.5)
    assert (schema["month"].minimum, schema["month"].maximum) == (1, 12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(values, values).map(lambda row: tuple("" if cell is None else cell for cell in row)),
        min_size=1,
        max_size=12,
    ),
    target=st.sampled_from([None, "left", "right"]),
)
def test_any_table_gives_an_inference_that_reads_it_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], target: str | None
) -> None:
    root = tmp_path_factory.mktemp("any")
    quoted = [
        [f'"{cell}"'.replace('"', '""')[1:-1] if '"' in cell else f'"{cell}"' for cell in row] for row in rows
    ]
    text = "\n".join(["left,right", *(",".join(row) for row in quoted)]) + "\n"
    (root / "a.csv").write_bytes(text.encode("utf-8", "replace"))
    try:
        found = infer(Source("a.csv"), root, target=target)
    except MainspringError:
        return
    assert read(found, root).height == found.rows
