import { existsSync, readFileSync } from 'node:fs';
import type { World } from './world.js';

/** A container that counts aloud, five times a second, through everything that happens. */
export interface Witness {
  readonly name: string;
  readonly id: string;
  readonly pid: number;
}

interface State {
  readonly Running: boolean;
  readonly Pid: number;
}

/** @param drivers behind its volume, its network and its log */
export async function startWitness(
  world: World,
  name: string,
  drivers: Readonly<Record<'volume' | 'network' | 'ipam' | 'log', string>>,
): Promise<Witness> {
  const network = `${name}-net`;
  await world.json('POST', '/networks/create', {
    Name: network,
    Driver: drivers.network,
    IPAM: { Driver: drivers.ipam },
  });
  const { Id: id } = await world.json<{ Id: string }>('POST', `/containers/create?name=${name}`, {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'i=0; while echo $i; do i=$((i+1)); sleep 0.2; done'],
    HostConfig: {
      NetworkMode: network,
      LogConfig: { Type: drivers.log },
      Mounts: [
        {
          Type: 'volume',
          Source: `${name}-vol`,
          Target: '/d',
          VolumeOptions: { DriverConfig: { Name: drivers.volume } },
        },
      ],
    },
  });
  await world.json('POST', `/containers/${id}/start`);
  const { State } = await world.json<{ State: State }>('GET', `/containers/${id}/json`);
  return { name, id, pid: State.Pid };
}

/** @returns what it noticed of what happened to others, a sentence each: nothing */
export async function complaintsOf(world: World, { name, id, pid }: Witness): Promise<string[]> {
  const complaints: string[] = [];
  const { State } = await world.json<{ State: State }>('GET', `/containers/${id}/json`);
  if (!State.Running || State.Pid !== pid) complaints.push(`${name} does not run on: ${JSON.stringify(State)}`);
  const { Id: exec } = await world.json<{ Id: string }>('POST', `/containers/${id}/exec`, {
    AttachStdout: true,
    Cmd: ['echo', 'alive'],
  });
  const said = await world.ask('POST', `/exec/${exec}/start`, { body: { Detach: false } });
  if (!said.text.includes('alive')) complaints.push(`${name} does not answer exec: ${said.status} ${said.text}`);
  const { text } = await world.ask('GET', `/containers/${id}/logs?stdout=1`);
  const counted = [...text.matchAll(/(\d+)\n/g)].map(([, number]) => Number(number));
  complaints.push(...holes(counted, 0).map((hole) => `docker logs of ${name} ${hole}`));
  const carried = world.carriedLog(id);
  if (carried !== undefined && existsSync(carried)) {
    const lines = readFileSync(carried, 'utf8').split('\n').slice(0, -1).map(Number);
    complaints.push(...holes(lines, counted.length).map((hole) => `what the log plugin got of ${name} ${hole}`));
  }
  return complaints;
}

/**
 * Whether a count lacks a number. A repeated number does no harm: a log driver that was killed is told again.
 * @param least so far it must have come
 */
export function holes(counted: readonly number[], least: number): string[] {
  let next = 0;
  for (const number of counted) {
    if (number > next) return [`lacks ${next}${number - next > 1 ? ` to ${number - 1}` : ''}`];
    if (number === next) next++;
  }
  return next < least ? [`ends with ${next - 1} and lacks what came until ${least - 1}`] : [];
}
