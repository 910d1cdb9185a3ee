import { CleatError, messageOf } from '@cleat/protocol/errors';
import { digestOf } from '../../content/blobs.js';
import { type Context, publish } from '../context.js';
import type { PluginRecord } from '../record.js';
import type { Plugin } from '../registry.js';
import { run } from './run.js';

/**
 * Goes back to the package before an upgrade, and runs it. Until that is on record, the plugin is on record as enabled: an
 * engine that is killed meanwhile is followed by one that finds the upgrade, and takes it back.
 * @param record the upgraded one, which has ended
 * @returns the error that tells of it
 */
export async function goneBack(context: Context, record: PluginRecord, cause: unknown): Promise<Error> {
  const { name, previous } = record;
  if (!previous || context.closing.aborted) return cause instanceof Error ? cause : new Error(messageOf(cause));
  const [why = '', ...output] = messageOf(cause).split('\n');
  const former = restored(record, why);
  const doomed = record.package.layers;
  let outcome = 'which runs again';
  try {
    await run(context, former);
  } catch (error) {
    outcome = `which does not start either: ${messageOf(error)}`;
  }
  await context.layers.collect(doomed.map(({ diffId }) => diffId));
  await context.content.collect(doomed.map(({ digest }) => digest));
  tellTakenBack(context, record.id);
  const { upgrade, to } = former.takenBack;
  const errorClass = cause instanceof CleatError ? cause.class : 'System';
  const told = `${why}; the upgrade of plugin ${name} to ${upgrade} was rolled back to ${to}, ${outcome}`;
  return new CleatError(errorClass, [told, ...output].join('\n'), { cause });
}

type Restored = PluginRecord & Required<Pick<PluginRecord, 'takenBack'>>;

/** As it was before its upgrade. */
function restored({ previous, ...rest }: PluginRecord, why: string): Restored {
  const former = { ...rest, ...previous };
  const [upgrade, to] = [digestOf(rest.package.artifact), digestOf(former.package.artifact)];
  return { ...former, takenBack: { upgrade, to, why } };
}

/** By a line of the log and an event, if nobody was told yet. */
export function tellTakenBack(context: Context, id: Plugin['id']): void {
  const record = context.registry.get(id)?.record;
  if (!record?.takenBack) return;
  const { takenBack, ...told } = record;
  const { upgrade, to, why } = takenBack;
  context.log.error('an upgrade of a plugin was taken back', { plugin: record.name, upgrade, back: to, error: why });
  publish(context, record.enabled ? 'enable' : 'disable', id, record.name, {
    upgradeTakenBack: upgrade,
    runs: to,
    why,
  });
  context.registry.put(told);
}
