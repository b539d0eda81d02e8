"""More of the bank for 4.8 repairs: functions from a run's name and configuration to the repaired one."""

from bank_ch04_repairs import bank

from sae_course.clinic import healthy_config
from sae_course.training import change

CURES = {
    "run 1": {"l0_coefficient": 0.4},
    "run 2": {"d_sae": 512},
    "run 3": {"lr": 3e-3},
    "run 4": {"d_sae": 512},
    "run 5": {"lr": 3e-3, "lr_warm_up_steps": 26, "pre_act_loss_coefficient": 3e-3},
    "run 6": {"dataset_path": "sae-course:tiny-stories-1L-21M"},
}


@bank.right
def from_a_table(name, cfg):
    return change(cfg, **CURES[name])


@bank.right
def the_healthy_one(name, cfg):
    return healthy_config(seed=7)


@bank.right
def near_the_healthy_values(name, cfg):
    others = {
        "run 1": {"l0_coefficient": 0.45},
        "run 2": {"d_sae": 640},
        "run 3": {"lr": 2e-3, "training_tokens": 2 * cfg.training_tokens},
        "run 4": {"d_sae": 448},
        "run 5": {"lr": 4e-3, "lr_warm_up_steps": 40, "pre_act_loss_coefficient": 1e-3},
    }
    return change(cfg, **others.get(name, CURES["run 6"]))


def otherwise(which, named, message, **settings):
    """The right cures, but for one run."""

    def variant(name, cfg):
        return change(cfg, **(settings if name == which else CURES[name]))

    variant.__name__ = named
    bank.wrong(message)(variant)


AS_IT_WAS = r"run {}: the configuration is the one that made it ill(.|\n)*return that"
otherwise(
    "run 1",
    "less_penalty",
    r"run 1: sae\.l0_coefficient was 0\.0365.*, and is now 0\.01: further from the "
    r"healthy run's 0\.4 than before\.\n  Likely: was it too low before",
    l0_coefficient=0.01,
)
otherwise(
    "run 2", "wider_still", r"run 2: sae\.d_sae was 4096, and is now 8192(.|\n)*too high before", d_sae=8192
)
otherwise(
    "run 3",
    "slower_still",
    r"run 3: lr was .* further(.|\n)*was it too low before\? Then the other way",
    lr=1e-5,
)
otherwise(
    "run 3",
    "raised_too_much",
    r"run 3: lr was 0\.00015, and is now 3: further from .*\n.*on the other side now",
    lr=3.0,
)
otherwise("run 4", "narrower_still", r"run 4: sae\.d_sae was 128, and is now 64: further", d_sae=64)
otherwise("run 5", "higher_still", r"run 5: lr was .* further(.|\n)*too high before", lr=0.2)
otherwise("run 4", "only_another_seed", AS_IT_WAS.format(4), seed=5)
otherwise(
    "run 6", "the_data_stays", r"run 6: dataset_path is '.*/notices'; that of the healthy runs", lr=2e-3
)
otherwise("run 3", "other_data", "run 3: dataset_path is '.*games'", lr=3e-3, dataset_path="sae-course:games")
otherwise(
    "run 1",
    "another_hook",
    "run 1: hook_name is 'blocks.0.hook_resid_post'; that of the healthy runs",
    l0_coefficient=0.4,
    hook_name="blocks.0.hook_resid_post",
)


@bank.wrong(AS_IT_WAS.format(1))
def unchanged(name, cfg):
    return cfg


@bank.wrong(AS_IT_WAS.format(3))
def copy_thrown_away(name, cfg):
    if name == "run 3":
        change(cfg, lr=3e-3)
        return cfg
    return change(cfg, **CURES[name])


@bank.wrong(r"run 3: changed_in_place changed the cfg that it was given(.|\n)*gives a changed copy")
def changed_in_place(name, cfg):
    if name == "run 3":
        cfg.lr = 3e-3
        return cfg
    return change(cfg, **CURES[name])


@bank.wrong(r"run 1: changed_in_its_sae changed the cfg")
def changed_in_its_sae(name, cfg):
    cfg.sae.l0_coefficient = 0.4
    return cfg


@bank.wrong("run 2: the SAE is now a batchtopk; it was a jumprelu")
def another_kind(name, cfg):
    return healthy_config("batchtopk") if name == "run 2" else change(cfg, **CURES[name])


@bank.wrong(
    r"settings_alone returned a dict for run 1; expected a LanguageModel(.|\n)*change\(cfg, \*\*settings\)"
)
def settings_alone(name, cfg):
    return CURES[name]


@bank.wrong(r"the_sae_alone returned a JumpReLU\w+ for run 1; expected a LanguageModelSAERunnerConfig")
def the_sae_alone(name, cfg):
    return change(cfg, **CURES[name]).sae


@bank.wrong(r"returned nothing \(None\) for run 5: is there a `return` for each run")
def one_left_out(name, cfg):
    if name != "run 5":
        return change(cfg, **CURES[name])


@bank.wrong("raised KeyError: 'run 4'(.|\n)*Your line")
def one_not_in_the_table(name, cfg):
    table = {key: cure for key, cure in CURES.items() if key != "run 4"}
    return change(cfg, **table[name])


@bank.wrong(r"repairs\n  l1_coefficient is a setting of standard(.|\n)*called with run 1")
def no_such_setting(name, cfg):
    return change(cfg, l1_coefficient=1.0)


@bank.wrong(r"calls by_name\(name, cfg\), and yours is by_name\(name\)")
def by_name(name):
    return CURES[name]
