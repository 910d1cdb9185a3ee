import { type SecretRequest, secretKind } from '@cleat/protocol/kinds/secret';
import { Finding, type Said } from '../../verify/finding.js';
import { complaintAbout } from '../../verify/readable-error.js';
import { Inapplicable, type Trial } from '../../verify/trial.js';

export type SecretTrial = Trial<typeof secretKind>;

/** The request of a container, without swarm. */
export function forContainer(trial: SecretTrial, more: SecretRequest): SecretRequest {
  return {
    ServiceName: 'verify',
    ServiceHostname: 'verify',
    TaskID: trial.freshId(),
    TaskName: 'verify',
    TaskImage: 'busybox',
    NodeID: 'verify',
    ...more,
  };
}

/** The secret that the author named with the option `secret`; the other options are its labels. @throws Inapplicable */
export function named(trial: SecretTrial): SecretRequest {
  const { secret, ...labels } = trial.session.settings.options ?? {};
  if (secret === undefined) throw new Inapplicable('nobody said which secret there is: say it with --opt secret=NAME');
  return { SecretName: secret, ...(Object.keys(labels).length > 0 ? { SecretLabels: labels } : {}) };
}

/** Its value. @throws Finding when there is none, or none that engines can read */
export async function valueGiven(trial: SecretTrial, request: SecretRequest, expected: string): Promise<string> {
  const said = await asked(trial, request);
  if (!trial.succeeded('GetSecret', said)) throw new Finding(expected, shown(said));
  const { Value } = trial.read('GetSecret', said);
  if (!Value) throw new Finding(`${expected}: a Value`, said);
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(Value))
    throw new Finding('a Value in base64, with + and / and padding', shown(said), 'it is something else');
  return Value;
}

/** An error, in words that a person understands, and no value. */
export async function refused(trial: SecretTrial, request: SecretRequest, expected: string): Promise<void> {
  const said = await asked(trial, request);
  if (trial.succeeded('GetSecret', said)) {
    const { Value } = trial.read('GetSecret', said);
    const found = Value ? 'a value' : 'success without a value: the container gets an empty file';
    throw new Finding(expected, shown(said), found);
  }
  trial.holds(!hasValue(said), 'no Value beside an error', shown(said), 'a value');
  const complaint = complaintAbout(secretKind, said);
  if (complaint !== undefined) throw new Finding('an error that a person understands', said, complaint);
}

/** The report keeps the call without the secret. */
async function asked(trial: SecretTrial, request: SecretRequest): Promise<Said> {
  const said = await trial.ask('GetSecret', request);
  const at = trial.calls.indexOf(said);
  if (at >= 0) trial.calls[at] = shown(said);
  return said;
}

const hasValue = ({ text }: Said): boolean => /"value"\s*:\s*"[^"]/i.test(text);

const shown = (said: Said): Said =>
  hasValue(said) ? { ...said, text: '(not shown: there may be a secret in it)' } : said;
