import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Address } from '@cleat/extensions/carriers/address';
import { activatePath } from '@cleat/protocol/dispatch';
import { invalidParameter, unavailable } from '@cleat/protocol/errors';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { networkKind } from '@cleat/protocol/kinds/network';
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
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
  const wires: Wire[] = [];
  const dispose = async () => {
    for (const wire of wires) wire[Symbol.dispose]();
    await reached.control?.[Symbol.asyncDispose]();
  };
  let given = 0;
  const common = { settings: options, prefix: `verify-${randomBytes(3).toString('hex')}`, next: () => given++ };
  const meet = async (found: Found): Promise<Session> => {
    const wire = new Wire(found.address, deadlineMs);
    wires.push(wire);
    const { name, address, control } = found;
    return { ...common, name, wire, address, control, kinds: await activate(wire, found, deadlineMs), ipam: undefined };
  };
  try {
    const session = await meet(reached);
    checkOptions(session.kinds, options);
    const { ipamDriver } = options;
    if (ipamDriver === undefined) return opened(session);
    const ipam =
      ipamDriver === plugin ? session : await meet({ ...reach(ipamDriver, options.directories), control: undefined });
    if (!ipam.kinds.includes(ipamKind.name)) {
      const says = ipam.kinds.join(', ') || 'nothing';
      throw invalidParameter(`--ipam-driver ${ipamDriver}: it implements ${says}, not ${ipamKind.name}`);
    }
    return opened({ ...session, ipam });
  } catch (error) {
    await dispose();
    throw error;
  }

  function opened(session: Session): Opened {
    return { session, origin: reached.origin, kinds: session.kinds, [Symbol.asyncDispose]: dispose };
  }
}

/** @throws InvalidParameter for options that a plugin of these kinds would never get */
function checkOptions(kinds: readonly string[], { options, ipamOptions, ipamDriver }: Settings): void {
  const makesNetworks = kinds.includes(networkKind.name);
  const gives = kinds.includes(ipamKind.name);
  const says = kinds.join(', ') || 'nothing';
  if (ipamDriver !== undefined && !makesNetworks) {
    throw invalidParameter(`--ipam-driver is for a network plugin, and this one implements ${says}`);
  }
  if (ipamOptions !== undefined && !gives && ipamDriver === undefined) {
    throw invalidParameter(`--ipam-opt is for an address plugin, or beside --ipam-driver; this one implements ${says}`);
  }
  if (options !== undefined && gives && kinds.length === 1) {
    throw invalidParameter('options of an address plugin are given by --ipam-opt, not by --opt');
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

/** @returns the kinds that it says it implements @throws Unavailable */
async function activate(wire: Wire, { control, name, origin }: Found, deadlineMs: number): Promise<string[]> {
  for (const end = Date.now() + (control ? deadlineMs : 0); ; ) {
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
