"""Right and wrong pairs for 7.6: state_of and load_state of a small training."""

import copy
import io
import pickle

import torch
from bank import Bank

from sae_course.checks.ch07.resuming import resumed
from sae_course.training.small_training import SmallTraining

resuming = Bank(resumed)


class Pair(tuple):
    """The two functions, as one variant with a name."""

    def __new__(cls, name, state_of, load_state):
        pair = super().__new__(cls, (state_of, load_state))
        pair.__name__ = name
        return pair


def right(state_of, load_state):
    resuming.right(Pair(state_of.__name__, state_of, load_state))


def wrong(name, message, state_of=None, load_state=None):
    """A slip in one of the two, or in both."""
    resuming.wrong(message)(Pair(name, state_of or in_the_chapter, load_state or load))


# The answer that the others differ from.


def parts(training):
    """With references."""
    return {
        "sae": training.sae.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "schedule": training.schedule.state_dict(),
        "draws": training.draws.get_state(),
        "order": training.order,
        "position": training.position,
        "since_fired": training.since_fired,
        "steps": training.steps,
    }


def in_the_chapter(training):
    return copy.deepcopy(parts(training))


def load_in_place(training, state):
    """Without a copy: Adam goes on in the state's own tensors."""
    training.sae.load_state_dict(state["sae"])
    training.optimizer.load_state_dict(state["optimizer"])
    training.schedule.load_state_dict(state["schedule"])
    training.draws.set_state(state["draws"])
    training.order = state["order"].clone()
    training.position, training.steps = state["position"], state["steps"]
    training.since_fired = state["since_fired"].clone()


def load(training, state):
    load_in_place(training, copy.deepcopy(state))


right(in_the_chapter, load)


# Right.


def whole_object(training):
    return {"training": copy.deepcopy(training)}


def load_attributes(training, state):
    training.__dict__.update(copy.deepcopy(state["training"]).__dict__)


right(whole_object, load_attributes)


def saved_to_bytes(training):
    file = io.BytesIO()
    torch.save(parts(training), file)
    return {"file": file}


def load_saved(training, state):
    state["file"].seek(0)
    load_in_place(training, torch.load(state["file"]))


right(saved_to_bytes, load_saved)


def pickled(training):
    return pickle.dumps(parts(training))


right(pickled, lambda training, state: load_in_place(training, pickle.loads(state)))


def pickled_whole(training):
    return {"bytes": pickle.dumps(vars(training))}


right(pickled_whole, lambda training, state: vars(training).update(pickle.loads(state["bytes"])))


def by_hand(training):
    """Each tensor cloned; of Adam and the schedule, only what changes."""
    adam = training.optimizer.state
    return {
        "weights": [p.detach().clone() for p in training.sae.parameters()],
        "adam": [{k: v.clone() for k, v in adam[p].items()} for p in training.sae.parameters()],
        "lr": training.optimizer.param_groups[0]["lr"],
        "epoch": training.schedule.last_epoch,
        "draws": training.draws.get_state(),
        "order": training.order,  # later steps make a new one
        "since_fired": training.since_fired.tolist(),
        "numbers": (training.position, training.steps),
    }


@torch.no_grad()
def load_by_hand(training, state):
    for p, value, adam in zip(training.sae.parameters(), state["weights"], state["adam"], strict=True):
        p.copy_(value)
        training.optimizer.state[p] = {k: v.clone() for k, v in adam.items()}
    training.optimizer.param_groups[0]["lr"] = state["lr"]
    training.schedule.last_epoch = state["epoch"]
    training.draws.set_state(state["draws"])
    training.order = state["order"]
    training.since_fired = torch.tensor(state["since_fired"])
    training.position, training.steps = state["numbers"]


right(by_hand, load_by_hand)


def three_objects(training):
    """The optimizer, the schedule and the parameters that they hold, in one copy."""
    keep = ("sae", "optimizer", "schedule", "order", "position", "since_fired", "steps")
    objects = copy.deepcopy({name: getattr(training, name) for name in keep})
    return objects | {"draws": training.draws.get_state().numpy().copy()}


def load_objects(training, state):
    objects = copy.deepcopy(state)
    training.draws = torch.Generator()
    training.draws.set_state(torch.from_numpy(objects.pop("draws")))
    for name, value in objects.items():
        setattr(training, name, value)
    return training  # which is not asked for, and harmless


right(three_objects, load_objects)


# A part is forgotten.


def without(*names):
    """Everything but some parts is loaded."""

    def load_the_rest(training, state):
        load(training, state | {name: parts(training)[name] for name in names})

    return load_the_rest


for forgotten, told in {
    "sae": "The SAE's weights are not those",
    "optimizer": r"Adam's averages were not restored (.|\n)*Different, too: Adam's own count of its steps",
    "schedule": r"The schedule was not restored",
    "draws": r"The generator's state was not restored",
    "order": r"The order of the data was not restored",
    "position": r"How far the order was read was not",
    "since_fired": r"The steps since each latent fired were not",
    "steps": r"The number of steps was not restored",
}.items():
    wrong(f"without_{forgotten}", told, load_state=without(forgotten))

wrong(
    "model_and_optimizer_alone",
    r"The schedule was not restored (.|\n)*too: the generator, the order(.|\n)*, the number of steps",
    load_state=without("schedule", "draws", "order", "position", "since_fired", "steps"),
)


def averages_alone(training, state):
    rate = training.optimizer.param_groups[0]["lr"]
    load(training, state)
    training.optimizer.param_groups[0]["lr"] = rate


wrong(
    "averages_without_the_rate",
    r"The learning rate was not restored(.|\n)*It is 0\.0\d+, and was 0",
    None,
    averages_alone,
)


def count_from_0(training, state):
    load(training, state)
    for kept in training.optimizer.state.values():
        kept["step"] = torch.tensor(0.0)


wrong("adams_count_from_0", "Adam's own count of its steps was not restored", None, count_from_0)


def same_seed(training, state):
    """The seed begins the draws anew."""
    load(training, state | {"draws": torch.Generator().manual_seed(state["seed"]).get_state()})


wrong(
    "the_seed_for_the_state",
    "The generator's state was not restored",
    lambda training: in_the_chapter(training) | {"seed": training.draws.initial_seed()},
    same_seed,
)


def order_drawn_anew(training, state):
    load(training, state)
    training.order = torch.randperm(len(training.x), generator=training.draws)


wrong("a_new_order", r"(The generator's state|The order of the data) was not", None, order_drawn_anew)


def pass_begun_again(training, state):
    load(training, state | {"position": 0})


wrong("the_pass_begun_again", "How far the order was read", None, pass_begun_again)


def biases_alone(training, state):
    """Fails to restore what is decayed, say."""
    kept = {name: value for name, value in state["sae"].items() if name.startswith("W")}
    load(training, state | {"sae": training.sae.state_dict() | kept})


wrong("weights_without_biases", "The SAE's weights are not those", None, biases_alone)
wrong(
    "in_half_precision",
    "The SAE's weights are not those",
    lambda t: in_the_chapter(t) | {"sae": {k: v.bfloat16() for k, v in t.sae.state_dict().items()}},
)
wrong(
    "one_step_further",
    "The number of steps was not restored",
    lambda training: in_the_chapter(training) | {"steps": training.steps + 1},
)
wrong(
    "seen_from_the_batch",
    "a step of the resumed training raised IndexError(.|\n)*The order of the data was not",
    lambda training: in_the_chapter(training) | {"order": training.order + len(training.x)},
)


# The state is no copy.

CHANGED = "the state changed while the training went on: the SAE's weights, Adam's averages"
wrong("references", CHANGED, parts)
wrong("a_shallow_copy", CHANGED, lambda training: {k: copy.copy(v) for k, v in parts(training).items()})
wrong("the_training_itself", CHANGED, lambda training: {"training": training}, load_attributes)
wrong("a_shallow_copy_of_it", CHANGED, lambda t: {"training": copy.copy(t)}, load_attributes)
wrong(
    "the_attributes",
    CHANGED,
    vars,
    lambda training, state: vars(training).update(copy.deepcopy(state)),
)
wrong(
    "the_sae_copied_alone",
    "while the training went on: Adam's averages",
    lambda training: parts(training) | {"sae": copy.deepcopy(training.sae.state_dict())},
)
wrong(
    "the_generator_itself",
    r"while the training went on: the generator\.",
    lambda training: in_the_chapter(training) | {"draws": training.draws},
    lambda training, state: load(training, state | {"draws": state["draws"].get_state()}),
)
KEPT = {}


def one_dictionary(training):
    KEPT.update(in_the_chapter(training))
    return KEPT


wrong("one_dictionary_for_all", "the state changed while the training went on: the SAE's", one_dictionary)


# Loading hands over, or changes, the state.

wrong(
    "adam_in_place",
    r"for the second time(.|\n)*this state was loaded before(.|\n)*: Adam's averages",
    None,
    load_in_place,
)
wrong(
    "whole_object_handed_over",
    "this state was loaded before(.|\n)*: the SAE's weights",
    whole_object,
    lambda training, state: vars(training).update(vars(state["training"])),
)
wrong(
    "the_generator_handed_over",
    r"this state was loaded before(.|\n)*: the generator\.",
    lambda training: in_the_chapter(training) | {"draws": copy.deepcopy(training.draws)},
    lambda training, state: (
        load(training, state | {"draws": state["draws"].get_state()}),
        setattr(training, "draws", state["draws"]),
    ),
)


def popped(training, state):
    load(training, state)
    state.pop("steps")


def load_unwound(training, state):
    load_in_place(training, torch.load(state["file"]))


wrong("loading_pops", r"load_state changed the state it was given \(state \(its keys\)\)", None, popped)
wrong(
    "not_wound_back",
    r"raised (EOF|Unpickling)Error(.|\n)*this state was loaded before(.|\n)*seek",
    lambda training: (file := saved_to_bytes(training)["file"], file.seek(0))[0],
    lambda training, state: load_in_place(training, torch.load(state)),
)
wrong(
    "not_wound_back_at_all",
    "load_unwound raised EOFError",
    saved_to_bytes,
    load_unwound,
)


# Objects copied apart from each other.


def optimizer_object(training):
    return in_the_chapter(training) | {"object": copy.deepcopy(training.optimizer)}


def load_optimizer_object(training, state):
    load(training, state)
    training.optimizer = copy.deepcopy(state["object"])


HOLDS = "The optimizer holds other parameters than training.sae"
wrong("the_optimizer_copied", HOLDS, optimizer_object, load_optimizer_object)


def new_sae(training, state):
    training.sae = copy.deepcopy(training.sae)
    load(training, state)


wrong("the_sae_replaced", HOLDS, None, new_sae)


def new_optimizer(training, state):
    training.optimizer = torch.optim.Adam(training.sae.parameters())
    load(training, state)


wrong("the_optimizer_replaced", "The schedule sets the learning rate of another", None, new_optimizer)


def schedule_object(training, state):
    load(training, state)
    training.schedule = copy.deepcopy(state["object"])


wrong(
    "the_schedule_copied",
    "The schedule sets the learning rate of another",
    lambda training: in_the_chapter(training) | {"object": copy.deepcopy(training.schedule)},
    schedule_object,
)


# The wrong thing is changed.


def steps_on(training):
    state = in_the_chapter(training)
    training.step()
    return state


wrong("a_step_more", "state_of changed the training whose state it takes: the SAE's", steps_on)


def draws_once(training):
    torch.randperm(3, generator=training.draws)
    return in_the_chapter(training)


wrong("a_draw_more", r"state_of changed the training whose state it takes: the generator\.", draws_once)


def optimizer_swapped(training):
    training.optimizer = copy.deepcopy(training.optimizer)
    return in_the_chapter(training)


wrong(
    "another_optimizer", "state_of changed the training(.|\n)*the parameters that the opt", optimizer_swapped
)


def a_new_training(training, state):
    new = SmallTraining(training.x, d_sae=len(training.since_fired), batch=training.batch)
    load(new, state)
    return new


wrong("returns_another", "load_state returned another training", None, a_new_training)


def rebound(training, state):
    training = copy.deepcopy(state["training"])  # noqa: F841


wrong(
    "rebinds_its_argument",
    "load_state left the training that it was(.|\n)*another object",
    whole_object,
    rebound,
)
wrong("loads_nothing", "load_state left the training that it was given", None, lambda training, state: None)
wrong(
    "the_other_way_round",
    "load_state changed the training from which the state was taken: the SAE's weights",
    lambda training: {"training": training},
    lambda training, state: state["training"].sae.load_state_dict(training.sae.state_dict()),
)


def other_settings(training, state):
    load(training, state)
    training.window = 3


wrong("other_settings", "The data or the settings are others", None, other_settings)


wrong("no_return", "state_of returned nothing", lambda training: None)


def unwritten(*_):
    raise NotImplementedError("Exercise 7.6")


wrong("half_written", "unwritten is not written yet", None, unwritten)
resuming.wrong("the check needs both functions")(in_the_chapter)
