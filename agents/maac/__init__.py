"""MAAC: multi-actor attention critics, a soft actor-critic whose critics look at the other agents of their group.

Every agent i of a group has an actor, an encoding s_i = enc(o_i) of its observation, an encoding e_i = enc(o_i, a_i) of
observation and action, and a critic that gives Q_i of all its actions at once, the actions of the others as played:

    x_i = concat over heads of sum_{j != i} w_ij leaky(V e_j),    w_ij = softmax_j((W_q s_i) . (W_k e_j) / sqrt(d))
    Q_i = F_i(s_i, x_i)
    y_i = r_i + mu (Q'_i(o', a') - alpha log pi'_i(a'_i | o'_i)),   a' ~ pi'
    critic: minimise sum_i mean (Q_i(o, a) - y_i)^2
    actor:  ascend mean log pi_i(a_i | o_i) (Q_i(o, a) - sum_a' pi_i(a' | o_i) Q_i(o, a') - alpha log pi_i(a_i | o_i))

All agents of all groups are computed at once: the parameters of a layer are one tensor `[G, A, in, out]`, and no loop
runs over agents or groups. `reference` states the same agent by agent; tests and the benchmark compare with it. The
learner sees arrays only; groups never exchange anything, so G may be channels, seeds, or both.

A step is `actions = maac.act(observations)`, `maac.observe(observations, actions, rewards)`, `maac.update()`. A leading
axis of arrays may be replicas of the environment, which share the buffer of their group. `state.write` and `MAAC.read`
keep a learner, with its buffer and the counters of its random numbers, in one safetensors file.

| paper | name |
|---|---|
| f_i, F_i | `encoder_*`, `own_*` (state only); `head_*`, `output_*` |
| V, W_k, W_q | `attention.value_*`, `attention.key_weight`, `attention.query_weight` |
| rho_j | attention weights; `attention="uniform"` fixes them (MMALoRa-U) |
| mu, zeta, alpha | `mu`, `zeta`, `alpha` (1 / reward scale in the code of Iqbal and Sha) |
| B_mini, size of the buffer, heads, learning rate | `batch`, `capacity`, `heads`, `learning_rate` |
| T_update | `updates_per_step`, with every step |

Source: MMALoRa, Eq. (25)-(30), Algorithm 2, Table III; S. Iqbal and F. Sha, "Actor-attention-critic for multi-agent
reinforcement learning", ICML 2019, and their code.

Differences from the paper:

1. As in the code of Iqbal and Sha: the query is of the state encoding, critics give all own actions at once (needed by
   the baseline), logits are divided by sqrt(d), the sum in the softmax is over j != i, squared attention logits and
   squared policy logits are penalised (1e-3), critics have weight decay (1e-3), gradients are clipped (norm 10 n for a
   critic of n agents, 0.5 for an actor), gradients of keys, queries, values and of `encoder_*`, into which all agents'
   losses flow, are divided by n, and rewards are standardised per agent over the buffer.
2. Differing from that code: the entropy term of the target is discounted, as the paper prints it, so that mu = 0 needs
   no target networks (then none are kept); a constant reward standardises to 0.
3. Defaults: mu = 0, since the game is static; hidden = 64 and batch = 128, which learn as well as 128 and 1024 and
   begin long before the buffer holds 1024 steps. `TABLE_III` has the paper's values.
4. `normalisation="static"` takes observations as they are scaled. With `"batch_norm"`, as in the code, a feature that
   is constant for an agent becomes 0; critics always use the moments of the batch, actors running ones while acting.
5. Initial parameters are drawn as by `torch.nn.Linear`, uniform in +-1/sqrt(inputs), for every agent independently.
6. Static action masks: arms that an agent lacks have probability 0, and enter neither softmax nor penalty.
"""

from agents.maac.groups import TABLE_III, Hyperparameters
from agents.maac.learner import MAAC

__all__ = ["MAAC", "TABLE_III", "Hyperparameters"]
