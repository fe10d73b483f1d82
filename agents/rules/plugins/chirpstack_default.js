// ChirpStack v4's default ADR algorithm, written as a plug-in: the same decisions as the one that is built in.
// Numbers are single precision, as there; steps are cut towards zero.
// Source: ChirpStack v4, chirpstack/src/adr/default.rs.

const HISTORY = 20;
const STEP_DB = 3;

// NbTrans by loss (below 5, 10, 30 %, above) and the NbTrans in force.
const NB_TRANS = [[1, 1, 2], [1, 2, 3], [2, 3, 3], [3, 3, 3]];

export function id() {
  return "chirpstack_default_js";
}

export function name() {
  return "Default ADR algorithm (plug-in)";
}

export function handle(req) {
  const parameters = { dr: req.dr, txPowerIndex: req.txPowerIndex, nbTrans: req.nbTrans };
  if (!req.adr) {
    return parameters;
  }
  parameters.dr = Math.min(req.dr, req.maxDr);
  parameters.nbTrans = nbTransByLoss(req.nbTrans, lossPercent(req.uplinkHistory));
  const steps = stepsOf(req);
  const withPower = req.uplinkHistory.filter((uplink) => uplink.txPowerIndex === req.txPowerIndex).length;
  if (steps < 0 && withPower !== HISTORY) {
    return parameters;
  }
  const faster = Math.min(Math.max(steps, 0), req.maxDr - parameters.dr);
  parameters.dr += faster;
  parameters.txPowerIndex = Math.min(Math.max(req.txPowerIndex + steps - faster, 0), req.maxTxPowerIndex);
  return parameters;
}

function stepsOf(req) {
  const strongest = Math.max(...req.uplinkHistory.map((uplink) => uplink.maxSnr));
  const beyondNeed = Math.fround(Math.fround(strongest) - Math.fround(req.requiredSnrForDr));
  const margin = Math.fround(beyondNeed - Math.fround(req.installationMargin));
  return Math.trunc(Math.fround(margin / STEP_DB));
}

function lossPercent(history) {
  if (history.length < HISTORY) {
    return 0;
  }
  let lost = 0;
  for (let i = 1; i < history.length; i++) {
    lost += history[i].fCnt - history[i - 1].fCnt - 1;
  }
  return Math.fround(Math.fround(lost / history.length) * 100);
}

function nbTransByLoss(nbTrans, percent) {
  const row = percent < 5 ? 0 : percent < 10 ? 1 : percent < 30 ? 2 : 3;
  return NB_TRANS[row][Math.min(Math.max(nbTrans, 1), 3) - 1];
}
