# SPDX-License-Identifier: Apache-2.0
"""Data sets for eval.py, each read into the same few shapes. docs/evaluation.md says what a format needs.

A reader gets a path and yields conversations; what it cannot read it refuses with BadData and the place.
"""
import dataclasses
import datetime
import glob
import json
import os
import re

NEEDLE_CHARS = 60  # as much of a text as must stand in a context for it to be covered


class BadData(Exception):
    """A sentence for a person, with file and place."""


@dataclasses.dataclass
class Item:
    """What is remembered: one memory, one candidate of a search."""

    id: str
    session: str
    content: str
    created_at: str
    source: str
    metadata: dict
    needle: str  # by which the text is known again in a context


@dataclasses.dataclass
class Question:
    text: str
    category: str
    wanted: set  # ids of the items that are its evidence
    wanted_sessions: set
    is_extra: bool = False  # counted in the table of sessions only


@dataclasses.dataclass
class Conversation:
    id: str
    items: list
    questions: list
    is_dev: bool = False  # one of those that the ranking was tuned on


def plain(text):
    """Words and single spaces: what is left of a text however it is formatted."""
    return re.sub(r"\W+", " ", text)


def needle_of(text):
    return plain(text)[:NEEDLE_CHARS].strip()


def member(value, name, kind, place):
    """value[name], which must be of that kind."""
    if not isinstance(value, dict):
        raise BadData(f"{place}: an object is wanted here")
    if name not in value:
        raise BadData(f"{place}: '{name}' is missing")
    if not isinstance(value[name], kind):
        raise BadData(f"{place}: '{name}' is no {kind.__name__}")
    return value[name]


def utc(text, form, place):
    try:
        return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc).isoformat()
    except (ValueError, TypeError):
        raise BadData(f"{place}: {text!r} is no time like {datetime.datetime(2023, 5, 8, 13, 56).strftime(form)!r}") from None


def load_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise BadData(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadData(f"{path}: no JSON: {error}") from None


# ---- LoCoMo: a list of {sample_id, conversation: {session_1: [turn...], session_1_date_time...}, qa: [...]} ----

LOCOMO_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
LOCOMO_EXTRA = {5: "adversarial"}  # has no answer, though evidence of why
LOCOMO_DEV = {"conv-26", "conv-30", "conv-41"}


def locomo_turn(turn, place):
    text = member(turn, "text", str, place)
    if turn.get("blip_caption"):
        text += f" (shares a picture: {turn['blip_caption']})"
    return member(turn, "dia_id", str, place), member(turn, "speaker", str, place), text


def locomo_items(talk, place):
    for name in [name for name in talk if re.fullmatch(r"session_\d+", name)]:
        here = f"{place}: {name}"
        said = member(talk, name + "_date_time", str, place)
        created_at = utc(said, "%I:%M %p on %d %B, %Y", here)
        for i, turn in enumerate(member(talk, name, list, place)):
            turn_id, speaker, text = locomo_turn(turn, f"{here}: turn {i + 1}")
            yield Item(turn_id, turn_id.split(":")[0], f"{speaker}: {text}", created_at, "locomo",
                       {"dia_id": turn_id, "session_time": said}, needle_of(text))


def locomo_questions(entries, known, place):
    for i, entry in enumerate(entries):
        here = f"{place}: question {i + 1}"
        category = member(entry, "category", int, here)
        ids = {found for text in entry.get("evidence", []) for found in re.findall(r"D\d+:\d+", str(text))} & known
        name = LOCOMO_CATEGORIES.get(category) or LOCOMO_EXTRA.get(category)
        if not name:
            raise BadData(f"{here}: category {category} is none of 1 to 5")
        if ids:
            yield Question(member(entry, "question", str, here), name, ids, {found.split(":")[0] for found in ids},
                           is_extra=category in LOCOMO_EXTRA)


def read_locomo(path, samples):
    for i, sample in enumerate(samples):
        name = member(sample, "sample_id", str, f"{path}: conversation {i + 1}")
        place = f"{path}: {name}"
        items = list(locomo_items(member(sample, "conversation", dict, place), place))
        questions = list(locomo_questions(member(sample, "qa", list, place), {item.id for item in items}, place))
        yield Conversation(name, items, questions, name in LOCOMO_DEV)


# ---- LongMemEval: a list of questions, each with a haystack of sessions of its own -----------------------------

def longmemeval_items(entry, place):
    sessions = member(entry, "haystack_sessions", list, place)
    names = member(entry, "haystack_session_ids", list, place)
    dates = member(entry, "haystack_dates", list, place)
    if not len(sessions) == len(names) == len(dates):
        raise BadData(f"{place}: {len(sessions)} sessions, but {len(names)} ids and {len(dates)} dates")
    for i, (session, date) in enumerate(zip(sessions, dates)):
        created_at = utc(date, "%Y/%m/%d (%a) %H:%M", f"{place}: session {i + 1}")
        for j, turn in enumerate(session):
            here = f"{place}: session {i + 1}, turn {j + 1}"
            role, text = member(turn, "role", str, here), member(turn, "content", str, here)
            if text.strip():
                # The published ids tell where the answer is: numbers do not.
                yield bool(turn.get("has_answer")), Item(f"{i}:{j}", str(i), text, created_at, "longmemeval",
                                                         {"role": role, "session": i, "turn": j}, needle_of(text))


def read_longmemeval(path, entries):
    for i, entry in enumerate(entries):
        name = member(entry, "question_id", str, f"{path}: question {i + 1}")
        place = f"{path}: {name}"
        marked = list(longmemeval_items(entry, place))
        answers = set(member(entry, "answer_session_ids", list, place))
        wanted = {str(at) for at, session in enumerate(entry["haystack_session_ids"]) if session in answers}
        questions = []
        if wanted and not name.endswith("_abs"):  # those have no answer
            questions.append(Question(member(entry, "question", str, place), member(entry, "question_type", str, place),
                                      {item.id for has_answer, item in marked if has_answer}, wanted))
        yield Conversation(f"question-{i + 1}", [item for _, item in marked], questions)


# ---- BEAM: folders N/chat.json with N/probing_questions/probing_questions.json ---------------------------------

BEAM_DEV = range(1, 11)
BEAM_MARK = re.compile(r"\s*->->[^\n]*\Z")


def flat(value):
    """The numbers in nested lists and objects."""
    if isinstance(value, dict):
        value = list(value.values())
    return {number for inner in value for number in flat(inner)} if isinstance(value, list) else {value}


def beam_items(batches, place):
    for i, batch in enumerate(batches):
        here = f"{place}: batch {i + 1}"
        messages = [message for turn in member(batch, "turns", list, here) for message in turn]
        # A batch is of one day, which its first message names.
        created_at = utc(messages[0].get("time_anchor") if messages else None, "%B-%d-%Y", here)
        for message in messages:
            number = member(message, "id", int, here)
            at = f"{here}: message {number}"
            text = BEAM_MARK.sub("", member(message, "content", str, at))
            if text.strip():
                yield Item(str(number), str(i), text, created_at, "beam",
                           {"role": member(message, "role", str, at), "message_id": number}, needle_of(text))


def beam_questions(by_type, known, place):
    for kind, entries in by_type.items():
        for i, entry in enumerate(entries):
            here = f"{place}: {kind} {i + 1}"
            ids = {str(number) for number in flat(entry.get("source_chat_ids") or [])} & known
            if ids:
                yield Question(member(entry, "question", str, here), kind, ids, set())


def read_beam(path, chats):
    for chat in chats:
        folder = os.path.dirname(chat)
        size, number = os.path.abspath(folder).split(os.sep)[-2:]
        questions_path = os.path.join(folder, "probing_questions", "probing_questions.json")
        batches, by_type = load_json(chat), load_json(questions_path)
        if not isinstance(batches, list) or not isinstance(by_type, dict):
            raise BadData(f"{chat if not isinstance(batches, list) else questions_path}: not as BEAM has it")
        items = list(beam_items(batches, chat))
        questions = list(beam_questions(by_type, {item.id for item in items}, questions_path))
        yield Conversation(f"{size}-{number}", items, questions, number.isdigit() and int(number) in BEAM_DEV)


# ---- which it is -----------------------------------------------------------------------------------------------

def find_chats(folder):
    found = [path for depth in ("", "*/", "*/*/") for path in glob.glob(f"{folder}/{depth}chat.json")]
    return sorted(found, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)])


def read(path):
    """(the format's name, an iterator of conversations)"""
    if os.path.isdir(path):
        chats = find_chats(path)
        if not chats:
            raise BadData(f"{path}: no folder of BEAM: no chat.json within")
        return "BEAM", read_beam(path, chats)
    data = load_json(path)
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    if "conversation" in first and "qa" in first:
        return "LoCoMo", read_locomo(path, data)
    if "haystack_sessions" in first:
        return "LongMemEval", read_longmemeval(path, data)
    raise BadData(f"{path}: of no known format: LoCoMo has a list of objects with 'conversation' and 'qa', LongMemEval "
                  "one with 'haystack_sessions', BEAM is a folder")
