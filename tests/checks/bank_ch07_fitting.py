"""The bank for 7.5, fitted."""

import copy
import dataclasses

import torch
from bank import Bank

from sae_course.checks.ch07.fitting import fitted
from sae_course.training import as_dict, change, from_dict, preset
from sae_course.training.planner import plan

bank = Bank(fitted)

BF16 = {"model_from_pretrained_kwargs": {"dtype": "bfloat16"}}
ENOUGH = {"eval_batch_size_prompts": 1, **BF16}
"""With these it fits."""


def variant(name, **changes):
    def make(cfg):
        return change(cfg, **changes)

    make.__name__ = name
    return make


bank.right(variant("model_in_bf16_and_evaluation_by_row", **ENOUGH))
bank.right(variant("two_rows", eval_batch_size_prompts=2, **BF16))
bank.right(variant("more_evaluations", n_eval_batches=64, **ENOUGH))
bank.right(
    variant("in_float16", eval_batch_size_prompts=1, model_from_pretrained_kwargs={"dtype": "float16"})
)
bank.right(variant("as_a_dtype", **ENOUGH | {"model_from_pretrained_kwargs": {"dtype": torch.bfloat16}}))
bank.right(variant("short_name", **ENOUGH | {"model_from_pretrained_kwargs": {"dtype": "bf16"}}))
bank.right(variant("model_on_the_cpu", llm_device="cpu"))
bank.right(variant("model_and_buffer_on_the_cpu", llm_device="cpu", act_store_device="cpu"))
bank.right(variant("buffer_on_the_cpu", act_store_device="cpu", **ENOUGH))
bank.right(variant("buffer_as_small_as_it_may_be", n_batches_in_buffer=32, **ENOUGH))
bank.right(variant("row_by_row", store_batch_size_prompts=1, n_batches_in_buffer=5, **ENOUGH))
bank.right(variant("larger_buffer", act_store_device="cpu", n_batches_in_buffer=512, **ENOUGH))
bank.right(variant("model_on_a_second_gpu", llm_device="cuda:1", **ENOUGH))
bank.right(variant("buffer_with_the_model", llm_device="cuda:1", act_store_device="with_model", **ENOUGH))
bank.right(variant("buffer_on_a_second_gpu", act_store_device="cuda:1", **ENOUGH))
bank.right(variant("device_by_number", device="cuda:0", **ENOUGH))
bank.right(
    variant(
        "other_records",
        autocast_lm=False,
        compile_sae=True,
        n_checkpoints=3,
        output_path="sae",
        run_name="on a T4",
        wandb_log_frequency=1000,
        eval_every_n_wandb_logs=200,
        **ENOUGH,
    )
)


@bank.right
def advised(cfg):
    for one in plan(cfg, gpu="T4").changes:
        cfg = change(cfg, **{one.setting: one.value})
    return cfg


@bank.right
def advised_until_it_fits(cfg):
    while not plan(cfg, gpu="T4").fits:
        one = plan(cfg, gpu="T4").changes[0]
        cfg = change(cfg, **{one.setting: one.value})
    return cfg


@bank.right
def replaced(cfg):
    kwargs = {**cfg.model_from_pretrained_kwargs, "dtype": "bfloat16"}
    return dataclasses.replace(cfg, eval_batch_size_prompts=1, model_from_pretrained_kwargs=kwargs)


@bank.right
def assigned_to_a_copy(cfg):
    new = copy.deepcopy(cfg)
    new.eval_batch_size_prompts = 1
    new.model_from_pretrained_kwargs["dtype"] = "bfloat16"
    new.act_store_device = torch.device("cpu")
    return new


@bank.right
def assigned_to_a_shallow_copy(cfg):
    new = copy.copy(cfg)
    new.eval_batch_size_prompts = 1
    new.model_from_pretrained_kwargs = {"dtype": "bfloat16"}
    return new


@bank.right
def by_way_of_a_dictionary(cfg):
    values = as_dict(cfg)
    values["model_from_pretrained_kwargs"]["dtype"] = "bfloat16"
    values["eval_batch_size_prompts"] = 1
    return from_dict(values)


@bank.right
def halved_while_it_helps(cfg):
    new = change(cfg, **BF16)
    while not plan(new, gpu="T4").fits:
        new = change(new, eval_batch_size_prompts=new.eval_batch_size_prompts // 2)
    return new


# Not a configuration.


@bank.wrong(r"returned nothing \(None\): is there a `return`\?")
def nothing(cfg):
    change(cfg, **ENOUGH)


@bank.wrong(r"is there a `return`\?\n  Likely: change\(cfg, \.\.\.\) leaves cfg alone and returns a copy")
def assigned_and_not_returned(cfg):
    cfg.eval_batch_size_prompts = 1


@bank.wrong("returned a Plan; expected a configuration(.|\n)*a plan only tells what to change")
def the_plan(cfg):
    return plan(cfg, gpu="T4", **ENOUGH)


@bank.wrong("returned a Workload; expected(.|\n)*what the planner computes with")
def the_plans_workload(cfg):
    return plan(cfg, gpu="T4").changed


@bank.wrong(r"returned a tuple; expected(.|\n)*these are what to change; change\(cfg, \*\*{one.setting")
def the_plans_changes(cfg):
    return plan(cfg, gpu="T4").changes


@bank.wrong("returned a list; expected(.|\n)*these are what to change")
def a_list_of_changes(cfg):
    return list(plan(cfg, gpu="T4").changes)


@bank.wrong("returned a Change; expected(.|\n)*these are what to change")
def one_change(cfg):
    return plan(cfg, gpu="T4").changes[0]


@bank.wrong(r"returned a dict; expected(.|\n)*change\(cfg, \*\*settings\) makes the configuration")
def a_dictionary_of_changes(cfg):
    return ENOUGH


@bank.wrong("returned a dict; expected a configuration")
def a_configuration_as_a_dictionary(cfg):
    return as_dict(change(cfg, **ENOUGH))


@bank.wrong("returned a bool; (.|\n)*is the check's to see")
def whether_it_fits(cfg):
    return plan(change(cfg, **ENOUGH), gpu="T4").fits


@bank.wrong("returned a BatchTopKTrainingSAEConfig; (.|\n)*the SAE's part alone")
def the_saes_part(cfg):
    return cfg.sae


@bank.wrong("returned a str; expected a configuration")
def a_name(cfg):
    return "gemma"


@bank.wrong("returned the class LanguageModelSAERunnerConfig; expected a configuration")
def the_class(cfg):
    return type(cfg)


# The given cfg.


@bank.wrong("returned cfg as it was, and that does not fit")
def unchanged(cfg):
    return cfg


@bank.wrong(r"returned cfg as it was(.|\n)*returns a copy: return that")
def copy_forgotten(cfg):
    change(cfg, **ENOUGH)
    return cfg


@bank.wrong("returned cfg as it was")
def a_mere_copy(cfg):
    return copy.deepcopy(cfg)


@bank.wrong(
    r"changed the given cfg itself \(eval_batch_size_prompts, model_from_pretrained_kwargs.dtype\)"
    r"(.|\n)*returns a copy: return that"
)
def in_place(cfg):
    cfg.eval_batch_size_prompts = 1
    cfg.model_from_pretrained_kwargs["dtype"] = "bfloat16"
    return cfg


@bank.wrong(
    r"cfg itself \(model_from_pretrained_kwargs\.dtype\)(.|\n)*copy\.copy and dataclasses\.replace share"
)
def in_place_through_a_shallow_copy(cfg):
    new = copy.copy(cfg)
    new.eval_batch_size_prompts = 1
    new.model_from_pretrained_kwargs["dtype"] = "bfloat16"
    return new


@bank.wrong(
    r"cfg itself \(model_from_pretrained_kwargs\.dtype\)(.|\n)*copy\.copy and dataclasses\.replace share"
)
def in_place_through_replace(cfg):
    new = dataclasses.replace(cfg, eval_batch_size_prompts=1)
    new.model_from_pretrained_kwargs.update(dtype="bfloat16")
    return new


# Another training.


def another(name, message, **changes):
    bank.wrong(message)(variant(name, **ENOUGH | changes))


another(
    "narrower_sae",
    "changed sae.d_sae from 18,432 to 9,216. This is another training: an SAE with another number",
    d_sae=9216,
)
another(
    "smaller_batch",
    "train_batch_size_tokens from 4,096 to 2,048. This is another training: each step would be(.|\n)*"
    r"Changed with it: lr_warm_up_steps",
    train_batch_size_tokens=2048,
)
another(
    "fewer_tokens",
    r"training_tokens from 1,228,800,000 to 100,000,000\. This(.|\n)*trained on another number of tokens",
    training_tokens=100_000_000,
)
another("shorter_context", "context_size from 1,024 to 256(.|\n)*another stretch of text", context_size=256)
another(
    "other_model",
    "model_name from 'gemma-2-2b' to 'tiny-(.|\n)*from another model",
    model_name="tiny-stories-1L-21M",
)
another("other_texts", "dataset_path from '.*' to '.*'(.|\n)*from other texts", dataset_path="someone/texts")
another("fewer_positions", "changed seqpos_slice from(.|\n)*other positions", seqpos_slice=(1, None))
another("other_lr", r"changed lr from \S+ to 0\.01\. This is another(.|\n)*of another size", lr=0.01)
another(
    "cosine",
    "lr_scheduler_name from 'constant'(.|\n)*at some of the steps",
    lr_scheduler_name="cosineannealing",
)
another("no_warm_up", r"lr_warm_up_steps from [\d,]+ to 0\.", lr_warm_up_steps=0)
another("no_decay", r"lr_decay_steps from [\d,]+ to 0\.", lr_decay_steps=0)
another("no_momentum", "adam_beta1 from(.|\n)*and take the same memory", adam_beta1=0.5)
another("other_seed", r"changed seed from \d+ to 1,234\.(.|\n)*begin with other weights", seed=1234)
another(
    "unmixed",
    "activations_mixing_fraction from 0.5 to 0\\b(.|\n)*mixed differently",
    activations_mixing_fraction=0,
)
another(
    "from_a_disk", "use_cached_activations from False to True(.|\n)*terabytes", use_cached_activations=True
)
another("fewer_to_estimate", "n_batches_for_norm_estimate from 100 to 5", n_batches_for_norm_estimate=5)
another("dead_sooner", "dead_feature_window from 1,000 to 50(.|\n)*count as dead", dead_feature_window=50)
another(
    "no_bos",
    "changed prepend_bos from True to False(.|\n)*leave the SAE and its tokens alone",
    prepend_bos=False,
)
another(
    "free_b_dec",
    "apply_b_dec_to_input from True(.|\n)*a setting of the SAE itself",
    apply_b_dec_to_input=False,
)
another(
    "sae_in_bf16",
    r"changed dtype from 'float32' to 'bfloat16'(.|\n)*format of the model's is model_from_pretrained",
    dtype="bfloat16",
)
another("on_the_cpu", "device is 'cpu': the SAE would be trained on the processor", device="cpu")
another(
    "folded",
    "has fold_ln = True: the model would be loaded in another way",
    model_from_pretrained_kwargs={"dtype": "bfloat16", "fold_ln": True},
)


@bank.wrong("changed sae.k from 80 to 20. This is another training: another number of latents")
def fewer_active(cfg):
    new = change(cfg, **ENOUGH)
    new.sae.k = 20
    return new


@bank.wrong(r"changed sae\.dtype from 'float32' to 'bfloat16'(.|\n)*format of the model's")
def the_sae_alone_in_bf16(cfg):
    new = change(cfg, **ENOUGH)
    new.sae.dtype = "bfloat16"
    return new


@bank.wrong("sae.device is 'cpu': the SAE would be trained on the processor")
def the_sae_on_the_cpu(cfg):
    new = change(cfg, **ENOUGH)
    new.sae.device = "cpu"
    return new


@bank.wrong("device is 'cuda:1' and sae.device is 'cuda': device_without_sae moved one(.|\n)*changes both")
def device_without_sae(cfg):
    return dataclasses.replace(change(cfg, **ENOUGH), device="cuda:1")


# The advice of another plan, which takes the SAE's width where nothing else is left.
@bank.wrong("changed sae.d_sae from 18,432 to")
def everything_smaller(cfg):
    return change(cfg, **ENOUGH, d_sae=4608, n_batches_in_buffer=64)


# Not made from cfg.


@bank.wrong(r"changed sae\.architecture from 'gated' to 'batchtopk'(.|\n)*does not start from the cfg")
def a_preset_of_its_own(cfg):
    return change(preset("gemma", "full", "today"), device="cuda", autocast=True, autocast_lm=True, **ENOUGH)


@bank.wrong(r"device is 'cpu'(.|\n)*a preset of this computer has its device")
def a_preset_of_this_computer(cfg):
    return preset("gemma", "full", "today", **ENOUGH)


@bank.wrong(r"changed sae\.architecture from 'batchtopk' to 'gated'(.|\n)*does not start from the cfg")
def the_usual_preset(cfg):
    return preset("gemma", "full", **ENOUGH)


@bank.wrong(
    r"changed hook_name from 'blocks.\d+.hook_.*' to 'blocks.12.hook(.|\n)*does not start from the cfg"
)
def hook_written_in(cfg):
    return change(cfg, hook_name="blocks.12.hook_resid_post", **ENOUGH)


@bank.wrong("changed hook_name from(.|\n)*does not start from the cfg")
def made_anew(cfg):
    made = preset("gemma", "full", architecture=cfg.sae.architecture(), lr=cfg.lr, adam_beta1=cfg.adam_beta1)
    return change(made, device="cuda", autocast=True, autocast_lm=True, **ENOUGH)


@bank.wrong(r"returned cfg as it was(.|\n)*leaves this configuration out\.(.|\n)*Case 2 of 4: .*gated")
def for_batchtopk_only(cfg):
    return change(cfg, **ENOUGH) if cfg.sae.architecture() == "batchtopk" else cfg


@bank.wrong(r"JumpReLUTrainingSAEConfig|There is no setting k|k is a setting of")
def k_set_again(cfg):
    return change(cfg, k=80, **ENOUGH)


# It does not fit.


def too_large(name, message, **changes):
    bank.wrong(message)(variant(name, **changes))


too_large(
    "evaluation_alone",
    r"does not fit: 19\.\d GiB are needed on the GPU, and a T4 has 14\.6\. Most is needed in this phase: "
    r"evaluation\. The largest parts there, in GiB: model weights 11\.9, evaluation 5\.1",
    eval_batch_size_prompts=1,
)
too_large("bf16_alone", r"28\.2 GiB(.|\n)*phase: evaluation(.|\n)*in GiB: evaluation 19\.5", **BF16)
too_large("buffer_alone", r"52\.\d GiB(.|\n)*GiB: evaluation 39\.\d", act_store_device="cpu")
too_large(
    "second_gpu_alone",
    r"51\.\d GiB are needed on the second GPU(.|\n)*evaluation 39\.\d, model weights 11\.9",
    llm_device="cuda:1",
)
too_large(
    "second_gpu_and_evaluation",
    r"17\.\d GiB are needed on the second GPU, and a T4 has",
    llm_device="cuda:1",
    eval_batch_size_prompts=1,
)
too_large(
    "everything_but_the_format",
    r"does not fit: 1\d\.\d GiB(.|\n)*model weights 11\.9",
    eval_batch_size_prompts=1,
    store_batch_size_prompts=1,
    act_store_device="cpu",
    n_batches_in_buffer=32,
)
too_large(
    "four_rows",
    r"does not fit: 1\d\.\d GiB(.|\n)*plan\(fitted\(cfg\), gpu=",
    eval_batch_size_prompts=4,
    **BF16,
)
too_large(
    "too_much_at_once",
    "phase: filling",
    eval_batch_size_prompts=1,
    store_batch_size_prompts=64,
    n_batches_in_buffer=1024,
    **BF16,
)
too_large("fewer_evaluations", "does not fit", n_eval_batches=1)
too_large("evaluated_rarely", "does not fit", eval_every_n_wandb_logs=10**6)
too_large(
    "in_float32", "does not fit", eval_batch_size_prompts=1, model_from_pretrained_kwargs={"dtype": "float32"}
)
too_large(
    "transformers_name",
    "has 'torch_dtype', which the plan(.|\n)*TransformerLens, which loads the model, calls it dtype",
    eval_batch_size_prompts=1,
    model_from_pretrained_kwargs={"torch_dtype": "bfloat16"},
)


@bank.wrong("model_dtype is no setting of SAELens: assigning to it has no effect")
def an_attribute_of_its_own(cfg):
    new = copy.deepcopy(cfg)
    new.eval_batch_size_prompts = 1
    new.model_dtype = "bfloat16"
    return new


# The buffer.


def buffer(name, message, **changes):
    bank.wrong(message)(variant(name, **ENOUGH, **changes))


buffer(
    "two_model_batches",
    r"holds 16 rows \(n_batches_in_buffer\) and the model reads 8 at once.*: 2 model batches, and it takes "
    "at least 4",
    n_batches_in_buffer=16,
)
buffer("nearly_four", "holds 31 rows", n_batches_in_buffer=31)
buffer("more_rows_at_once", r"3\.2 model batches", store_batch_size_prompts=40)
buffer(
    "one_training_batch",
    "holds 4,096 tokens .4 rows, n_batches_in_buffer., and that is one training batch and no more",
    store_batch_size_prompts=1,
    n_batches_in_buffer=4,
)
buffer(
    "cannot_run",
    "refuses this configuration. This can't run: the buffer holds 3,072 tokens",
    store_batch_size_prompts=1,
    n_batches_in_buffer=3,
)
buffer(
    "counted_in_model_batches",
    "This can't run: the buffer holds 1,024 tokens(.|\n)*counts rows of text",
    n_batches_in_buffer=1,
)


# Values of the wrong kind.


@bank.wrong("raised CourseError: eval_batch_size_prompts is a whole number or None, not '1'(.|\n)*Your line")
def a_text_for_a_number(cfg):
    return change(cfg, eval_batch_size_prompts="1", **BF16)


@bank.wrong(r"eval_batch_size_prompts is 1\.0; expected a whole number, 1 or more(.|\n)*a // b is")
def divided(cfg):
    new = change(cfg, **BF16)
    new.eval_batch_size_prompts = cfg.eval_batch_size_prompts / 8
    return new


@bank.wrong("eval_batch_size_prompts is '1'; expected a whole number")
def a_text_assigned(cfg):
    new = change(cfg, **BF16)
    new.eval_batch_size_prompts = "1"
    return new


@bank.wrong("n_eval_batches is 0; expected a whole number, 1 or more")
def no_evaluation(cfg):
    return change(cfg, n_eval_batches=0, **ENOUGH)


@bank.wrong("eval_batch_size_prompts is 0; expected a whole number, 1 or more")
def no_rows(cfg):
    return change(cfg, eval_batch_size_prompts=0, **BF16)


@bank.wrong("model_from_pretrained_kwargs is 'bfloat16'; expected a dictionary")
def no_dictionary(cfg):
    new = change(cfg, eval_batch_size_prompts=1)
    new.model_from_pretrained_kwargs = "bfloat16"
    return new


@bank.wrong("has dtype = 'int8'; expected one that TransformerLens can load")
def in_int8(cfg):
    return change(cfg, eval_batch_size_prompts=1, model_from_pretrained_kwargs={"dtype": "int8"})


@bank.wrong(r"has dtype = 'torch\.bfloat16'; expected one that TransformerLens can load")
def text_of_a_dtype(cfg):
    return change(cfg, eval_batch_size_prompts=1, model_from_pretrained_kwargs={"dtype": "torch.bfloat16"})


@bank.wrong("act_store_device is 'with_model'; expected a device(.|\n)*when a configuration is made")
def with_model_too_late(cfg):
    new = change(cfg, **ENOUGH)
    new.act_store_device = "with_model"
    return new


@bank.wrong("llm_device is 'T4'; expected a device such as")
def a_gpus_name(cfg):
    return change(cfg, llm_device="T4", **ENOUGH)


# What they raise.


@bank.wrong(
    "raised CourseError: There is no setting model_dtype(.|\n)*number format is in model_from_pretrained"
)
def the_planners_name(cfg):
    return change(cfg, eval_batch_size_prompts=1, model_dtype="bfloat16")


@bank.wrong(r"raised TypeError(.|\n)*plan\(\.\.\.\)\.changes is a tuple; of each, \.setting")
def changes_as_keywords(cfg):
    return change(cfg, **plan(cfg, gpu="T4").changes)


@bank.wrong(r"raised TypeError(.|\n)*settings go in by name")
def dictionary_by_position(cfg):
    return change(cfg, ENOUGH)


@bank.wrong("raised FrozenInstanceError(.|\n)*a plan and its parts only tell")
def changes_the_plan(cfg):
    plan(cfg, gpu="T4").work.eval_batch_size_prompts = 1
    return cfg


@bank.wrong("raised CourseError: The planner knows no GPU")
def no_such_gpu(cfg):
    return change(cfg, **{one.setting: one.value for one in plan(cfg, gpu="T5").changes})


@bank.wrong("is not written yet")
def as_in_the_notebook(cfg):
    raise NotImplementedError("Exercise 7.5")
