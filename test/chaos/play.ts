import { setTimeout as sleep } from 'node:timers/promises';
import { accountComplaints, forgiveAllocations } from './invariants/accounts.js';
import { journalComplaints } from './invariants/journal.js';
import { changes, tracesOf } from './invariants/traces.js';
import { complaintAbout, type Outcome } from './judge.js';
import { perform } from './perform.js';
import { Prober } from './probe.js';
import type { Fault, Kind, Operation, Schedule, Timed } from './schedule.js';
import { complaintsOf } from './witness.js';
import type { World } from './world.js';

/** Time that things may take to settle after the last fault: the engine asks a suspended extension again by then. */
const settleMs = 120_000;

export interface Played {
  readonly outcomes: readonly Outcome[];
  readonly complaints: readonly string[];
}

/** Plays a schedule, lets things settle, checks every invariant, removes what it made, and checks again. */
export async function play(world: World, schedule: Schedule): Promise<Played> {
  const before = tracesOf(ownerOf(world));
  const authz = schedule.faults.some(({ victims }) => victims.includes('authz'));
  const prober = new Prober(world, authz);
  const outcomes: Outcome[] = [];
  const began = Date.now();
  const record = (outcome: Outcome) => outcomes.push(outcome);
  await Promise.all([
    ...schedule.clients.map((steps) => playClient(world, schedule, steps, began, record)),
    ...schedule.faults.map((fault) => playFault(world, fault, began)),
  ]);
  await world.relieve();
  const complaints = await prober.stop();
  const circumstances = {
    schedule,
    needs: (operation: Operation) => needsOf(world, schedule, operation),
    nameOf: (kind: Kind) => world.flavour.drivers[kind],
  };
  complaints.push(...outcomes.flatMap((outcome) => complaintAbout(outcome, circumstances) ?? []));
  const engineDied = schedule.faults.some(({ victims }) => victims.includes('engine'));
  const settling = [
    ...world.witnesses.map((witness) => () => complaintsOf(world, witness)),
    async () => (await accountComplaints(world)).filter((text) => !(engineDied && isAllocation(text))),
  ];
  const afterRemoval = [
    async () => {
      if (engineDied) await forgiveAllocations(world);
      return [];
    },
    () => removeAll(world),
    async () => {
      if (engineDied) await forgiveAllocations(world);
      return accountComplaints(world);
    },
    async () => changes(before, tracesOf(ownerOf(world))),
    async () => journalComplaints(await world.events(began), outcomes.flatMap(disconnected)),
  ];
  for (const check of [...settling, ...afterRemoval]) {
    // Once one thing did not settle, the others have had their time.
    complaints.push(...(await settled(check, complaints.length === 0 ? settleMs : 2_000)));
  }
  return { outcomes, complaints };
}

const ownerOf = ({ engine, cgroupParent, linkPrefix }: World) => ({
  pid: engine.pid,
  dataRoot: engine.dataRoot,
  execRoot: engine.execRoot,
  cgroupParent,
  linkPrefix,
});

async function playClient(
  world: World,
  schedule: Schedule,
  steps: readonly Timed[],
  start: number,
  record: (outcome: Outcome) => void,
): Promise<void> {
  for (const { after, operation } of steps) {
    await sleep(after);
    const began = Date.now() - start;
    const result = await perform(world, schedule, operation).catch((error: Error) => error);
    record({ operation, began, ended: Date.now() - start, result });
  }
}

async function playFault(world: World, { victims, what, at, lasts }: Fault, start: number): Promise<void> {
  await sleep(Math.max(start + at - Date.now(), 0));
  const kinds = victims.filter((victim) => victim !== 'engine');
  const withEngine = kinds.length < victims.length;
  await Promise.all([
    ...(withEngine ? [world.killEngine()] : []),
    ...kinds.map((kind) => world.victim(kind).suffer(what)),
  ]);
  await sleep(lasts);
  for (const kind of kinds) await world.victim(kind).relieve();
  if (withEngine) await world.restartEngine();
}

/** See {@link forgiveAllocations}; what is left when everything is removed is looked at then. */
function isAllocation(complaint: string): boolean {
  return /still has: (pool|address) /.test(complaint);
}

/** Asks until there is nothing to complain about, within a bound. @returns what there is to complain about at last */
async function settled(check: () => Promise<string[]>, withinMs: number): Promise<string[]> {
  const until = Date.now() + withinMs;
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
    const complaints = await check().catch((error: Error) => [error.message]);
    if (complaints.length === 0 || Date.now() > until) return complaints;
    await sleep(pauseMs);
  }
}

function needsOf(world: World, schedule: Schedule, operation: Operation): Kind[] {
  const container = 'container' in operation && schedule.containers.find(({ name }) => name === operation.container);
  const network = 'network' in operation && schedule.networks.find(({ name }) => name === operation.network);
  // Another client may have connected it to any of the schedule's networks.
  const networks = container ? schedule.networks : [];
  return [
    ...(world.flavour.misbehaviour ? ['authz' as const] : []),
    ...('volume' in operation ? ['volume' as const] : []),
    ...(network ? world.needsOfNetwork(network) : []),
    ...(container ? world.needsOf(schedule, container) : []),
    ...networks.flatMap((one) => (connects(schedule, one.name) ? world.needsOfNetwork(one) : [])),
  ];
}

function connects({ clients }: Schedule, network: string): boolean {
  return clients.flat().some(({ operation }) => operation.op === 'network connect' && operation.network === network);
}

/** Networks that a container was taken off by request. */
const disconnected = ({ operation, result }: Outcome): string[] =>
  operation.op === 'network disconnect' && !(result instanceof Error) && result.status === 200
    ? [operation.network]
    : [];

/** The networks that an engine has of its own. */
const engines = new Set(['bridge', 'host', 'none', 'docker_gwbridge']);

/** Everything but the witnesses' own. @returns what cannot be removed */
async function removeAll(world: World): Promise<string[]> {
  const isWitness = (name: string) => world.witnesses.some((witness) => name.startsWith(witness.name));
  const complaints: string[] = [];
  const remove = async (path: string) => {
    const { status, text } = await world.ask('DELETE', path);
    if (status > 299 && status !== 404) complaints.push(`DELETE ${path}: ${status} ${text.trim()}`);
  };
  const containers = await world.json<{ Id: string; Names: string[] }[]>('GET', '/containers/json?all=1');
  for (const { Id, Names } of containers) {
    if (!isWitness((Names[0] ?? '').slice(1))) await remove(`/containers/${Id}?force=1&v=1`);
  }
  const { Volumes } = await world.json<{ Volumes: { Name: string }[] }>('GET', '/volumes');
  for (const { Name } of Volumes) if (!isWitness(Name)) await remove(`/volumes/${Name}`);
  const networks = await world.json<{ Id: string; Name: string }[]>('GET', '/networks');
  for (const { Id, Name } of networks) {
    if (!isWitness(Name) && !engines.has(Name)) await remove(`/networks/${Id}`);
  }
  return complaints;
}

/** The end of the engine's log, without each request that was answered as it should. */
export function logTail({ engine }: World, lines = 60): string {
  const all = engine.log().split('\n');
  return all
    .filter((line) => !/"msg":"(request|answered)"/.test(line))
    .slice(-lines)
    .join('\n');
}
