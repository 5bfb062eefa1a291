# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One value, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import values

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("form", "written", "means"),
    [
        (values.Boolean(), "yes", True),
        (values.Boolean(), 1, True),
        (values.Boolean(), "0", False),
        (values.Boolean(), "off", False),
        (values.Number(), "512", 512),
        (values.Number(), 2.0, 2),
        (values.Number(), "0.5", 0.5),
        (values.Number(zero_is_unset=True), "0", None),
        (values.Size(unit="G"), "32", 32 * 2**30),
        (values.Size(unit="G"), "512M", 512 * 2**20),
        (values.Size(), "10M", 10485760),
        (values.Size(), 10485760, 10485760),
        (values.Size(), "1.5 GiB", 3 * 2**29),
        (values.Duration(), "24h", 86400),
        (values.Duration(), 90, 90),
        (values.Mac(), "bc-24-11-00-00-0a", "BC:24:11:00:00:0A"),
        (values.Unordered(), "iso,backup", ("backup", "iso")),
        (values.Unordered(), ["iso", "backup", "iso"], ("backup", "iso")),
        (values.Unordered(), "", None),
        (values.Ordered(separators=";"), "scsi0;net0", ("scsi0", "net0")),
        (values.Lines(), "x\n", "x"),
        (values.Lines(), "", None),
        (values.Text(fold_case=True), "Prod", "prod"),
        (values.Properties("enabled", {"enabled": values.Boolean()}, defaults={"enabled": 0}), "1", {"enabled": True}),
        (values.Properties("enabled", {"enabled": values.Boolean()}, defaults={"enabled": 0}), "enabled=0", None),
        (values.Properties(), {"b": 1, "a": "x"}, {"a": "x", "b": "1"}),
        (values.Properties(aliases={"volume": "file"}), "volume=a:b", {"file": "a:b"}),
    ],
)
def test_what_is_written_is_what_is_meant(form, written, means):
    assert form.canonical(written) == means


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (values.Boolean(), "maybe"),
        (values.Number(), "many"),
        (values.Number(), True),
        (values.Number(), "nan"),
        (values.Number(), "inf"),
        (values.Size(), "big"),
        (values.Size(), "-1G"),
        (values.Duration(), "soon"),
        (values.Mac(), "BC:24:11"),
        (values.Properties(), "lonely"),
        (values.Properties("a"), "a=1,a=2"),
        (values.Properties(forms={"n": values.Number()}), "n=x"),
    ],
)
def test_nonsense_is_refused_in_words(form, written):
    with pytest.raises(ValueError, match=r"\w+ \w+") as refused:
        form.canonical(written)
    assert "Traceback" not in str(refused.value)


FORMS = st.sampled_from(
    [
        (values.Text(), WORD),
        (values.Boolean(), st.booleans()),
        (values.Number(), st.integers() | st.floats(allow_nan=False, allow_infinity=False, width=32)),
        (values.Size(), st.integers(0, 2**60)),
        (values.Unordered(), st.lists(WORD)),
        (values.Ordered(), st.lists(WORD)),
        (values.Properties(), st.dictionaries(WORD, WORD, max_size=4)),
        (values.Properties("model"), st.dictionaries(WORD, WORD, max_size=4)),
    ]
)


@given(st.data())
def test_a_canonical_value_survives_the_wire_and_itself(data):
    form, strategy = data.draw(FORMS)
    canonical = form.canonical(data.draw(strategy))
    if canonical is None:
        return
    assert form.canonical(canonical) == canonical
    assert form.canonical(form.wire(canonical)) == canonical


@given(st.integers(0, 2**63))
def test_a_size_is_written_exactly(number):
    assert values.as_bytes(values.size_text(number)) == number


@given(st.lists(WORD), st.randoms())
def test_order_means_nothing_where_it_means_nothing(words, random):
    shuffled = list(words)
    random.shuffle(shuffled)
    assert values.Unordered().canonical(words) == values.Unordered().canonical(",".join(shuffled))


def test_an_element_that_holds_separators_is_several():
    assert values.Unordered().canonical(["a@b.ar;c@d.ar"]) == ("a@b.ar", "c@d.ar")
    assert values.Ordered().canonical(["10.0.0.1 10.0.0.2", "10.0.0.3"]) == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
