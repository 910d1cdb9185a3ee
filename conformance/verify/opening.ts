import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Address } from '@cleat/extensions/carriers/address';
import { activatePath } from '@cleat/protocol/dispatch';
import { unavailable } from '@cleat/protocol/errors';
import { implementsOf } from '../kinds/protocol/cases.js';
import { reach } from '../reach.js';
import { CommandControl, type Control } from './control.js';
import { answerText } from './finding.js';
import { defaultDeadlineMs, type Session, type Settings } from './session.js';
import { Wire } from './wire.js';

export interface OpenOptions extends Settings {
  /** The shell's command that starts the plugin and stays in front; or another way to kill and start it. */
  start?: string | Control;
  /** Where names are looked up; default: where engines look. */
  directories?: readonly string[];
}

/** A plugin that was reached, and started if need be. Disposing of it ends what was started. */
export interface Opened extends AsyncDisposable {
  readonly session: Session;
  readonly origin: string;
  /** The kinds that it says it implements. */
  readonly kinds: readonly string[];
}

/**
 * @param plugin an address, the path of a socket or of a description, or a name
 * @throws Unavailable when it does not answer Plugin.Activate in the protocol's shape; NotFound, InvalidParameter
 */
export async function open(plugin: string, options: OpenOptions): Promise<Opened> {
  const reached = await startedAndReached(plugin, options);
  const wire = new Wire(reached.address, options.deadlineMs ?? defaultDeadlineMs);
  const dispose = async () => {
    wire[Symbol.dispose]();
    await reached.control?.[Symbol.asyncDispose]();
  };
  let given = 0;
  const session: Session = {
    name: reached.name,
    wire,
    address: reached.address,
    settings: options,
    control: reached.control,
    prefix: `verify-${randomBytes(3).toString('hex')}`,
    next: () => given++,
  };
  try {
    const kinds = await activate(session, reached.origin);
    return { session, origin: reached.origin, kinds, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

interface Found {
  name: string;
  origin: string;
  address: () => Address;
  control: Control | undefined;
}

async function startedAndReached(
  plugin: string,
  { start, directories, deadlineMs = defaultDeadlineMs }: OpenOptions,
): Promise<Found> {
  const control = typeof start === 'string' ? new CommandControl(start) : start;
  try {
    await control?.start();
    for (const end = Date.now() + deadlineMs; ; ) {
      try {
        const { name, origin, address } = reach(plugin, directories);
        return { name, origin, address, control };
      } catch (error) {
        // A name is known only once the plugin has made its socket.
        if (control === undefined || Date.now() > end) throw error;
        await pause(50);
      }
    }
  } catch (error) {
    await control?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** @throws Unavailable */
async function activate({ wire, control, name, settings }: Session, origin: string): Promise<string[]> {
  for (const end = Date.now() + (control ? (settings.deadlineMs ?? defaultDeadlineMs) : 0); ; ) {
    const answer = await wire.send(activatePath, '');
    const kinds = implementsOf(answer);
    if (kinds) return kinds;
    if (Date.now() > end || answer.status !== 0) {
      const said = answerText({ call: activatePath, request: '', ...answer });
      const output = control?.output().trim();
      throw unavailable(
        `${name} (${origin}) does not say what it implements: Plugin.Activate got ${said}${output ? `\nIt printed: ${output}` : ''}`,
      );
    }
    await pause(50);
  }
}
