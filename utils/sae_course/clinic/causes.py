"""The causes a diagnosis can name: what was done to the run, and how the trainer makes a symptom of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why a run is as it is."""

    name: str
    """What a diagnosis calls it."""
    was: str
    """What was done to the run, as a clause."""
    how: str
    """How it makes the symptom, naming only what SAELens' trainer does."""
    cure: str


HEALTHY = "healthy"

_SEVEN = (
    Cause(
        HEALTHY,
        "nothing was wrong with the run",
        "What differs from another healthy run is the seed, or a setting that hardly matters.",
        "None is needed.",
    ),
    Cause(
        "sparsity coefficient too small",
        "the penalty on L0 was too weak",
        "The loss is the squared error plus l0_coefficient times L0. Where the second term is small, every "
        "latent that lowers the error a little pays for itself.",
        "Raise l0_coefficient until L0 is where you want it.",
    ),
    Cause(
        "dictionary too wide",
        "there were more latents than the data could keep busy",
        "Latents compete. One that is above its threshold on few tokens gets a gradient from few tokens, and "
        "the penalty on L0 is paid by all that fire: the losers end below their thresholds and stay there. "
        "The winners reconstruct as well as ever.",
        "Lower d_sae, or train on more tokens.",
    ),
    Cause(
        "learning rate too low",
        "the learning rate was too low for the length of the run",
        "Adam moves each weight by about one learning rate a step, whatever the gradient's size, so the "
        "distance that weights can travel is bounded by steps times learning rate. The run ends on the way.",
        "Raise lr, or train for longer.",
    ),
    Cause(
        "dictionary too narrow",
        "there were too few latents for what the activations hold",
        "With about as many latents as dimensions, none can be spared for each thing that is there. Each "
        "stands for a bit of several, and more of them have to fire together to say the same.",
        "Raise d_sae.",
    ),
    Cause(
        "learning rate too high",
        "the learning rate was high from the first step, and nothing brought dead latents back",
        "Adam's first steps are as long as any later ones. Without warm-up, and at a high rate, they throw "
        "encoder directions to where no activation lies. A latent that never fires gets no gradient from the "
        "error; with pre_act_loss_coefficient the trainer pulls the dead towards their thresholds, and here "
        "it was off.",
        "Lower lr, warm it up, and set pre_act_loss_coefficient.",
    ),
    Cause(
        "wrong data",
        "the SAE was trained, and evaluated, on another kind of text than the model was made for",
        "The SAE learns what it is given, and its own curves can look as good as ever. The model does not "
        "know the text: its loss without any SAE says so.",
        "Train on the data that the model was trained on.",
    ),
)
_BEYOND = (
    Cause(
        "mean offset",
        "the activations had a large constant part",
        "Scaling activations by one number leaves their mean in place. A constant many times as large as "
        "what varies pushes each latent's pre-activation the same way on every token: below its threshold "
        "for most, which die, and above it for some, which carry the constant.",
        "Subtract the mean: begin with b_dec at the activations' mean, or centre them.",
    ),
    Cause(
        "saturated L0",
        "the thresholds alone had to make the JumpReLU sparse, through a narrow window",
        "Without jumprelu_ste_to_input the penalty reaches thresholds only, and only through pre-activations "
        "within half of jumprelu_bandwidth of them. Each threshold moves by about one learning rate a step: "
        "a larger coefficient asks for more and gets no more.",
        "Set jumprelu_ste_to_input, and widen jumprelu_bandwidth.",
    ),
    Cause(
        "threshold not converged",
        "a BatchTopK SAE was evaluated with a threshold that had not caught up",
        "In training, the k largest of a batch fire, whatever their size. Evaluation uses a threshold, a "
        "running mean that begins at 0 and moves by topk_threshold_lr a step: too small as yet, it lets more "
        "latents through.",
        "Raise topk_threshold_lr, or train for longer, before you evaluate.",
    ),
    Cause(
        "low precision",
        "the SAE's parameters were kept in bfloat16",
        "bfloat16 has 8 significant bits: a step that changes a weight by less than about a part in 256 is "
        "rounded away. In the clinic's own runs nothing measurable is lost by it; in another training, "
        "explained variance came to .62 in place of .73. Autocast computes in bfloat16 too, but keeps the "
        "parameters in float32.",
        'Keep dtype="float32", and use autocast.',
    ),
    Cause(
        "no BOS",
        "the rows lacked the BOS token with which every row of the model's own training began",
        "The model learned to use that first token. Without it, its activations and its loss are others.",
        "Begin each row with BOS, as the model's training did.",
    ),
    Cause(
        "activations not mixed",
        "batches were the activations of a few texts, in order",
        "Tokens of one text are alike, so that a batch says little about the rest, and each batch pulls "
        "another way. The variance of a batch, which has nothing to do with the SAE, jumps from one to the "
        "next.",
        "Make the buffer many times as large as a batch, and mix it.",
    ),
    Cause(
        "inflated metric",
        "the evaluation computed explained variance about zero, not about the mean",
        "Nothing is wrong with the SAE, only with the number that its evaluation gave: where activations "
        "have a mean, it counts as variance that was explained. What the trainer computes about the mean "
        "disagrees.",
        "Compute it about the mean, and compare only numbers of one formula.",
    ),
)
CAUSES: dict[str, Cause] = {cause.name: cause for cause in (*_SEVEN, *_BEYOND)}
"""Every cause by its name, in the order in which the chapter meets them."""
SEVEN = tuple(cause.name for cause in _SEVEN)
"""Those of the seven recorded runs of the ward, of run 0 to run 6."""
BEYOND = tuple(cause.name for cause in _BEYOND)
