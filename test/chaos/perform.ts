import { execFileSync } from 'node:child_process';
import type { ApiAnswer } from './client.js';
import type { ContainerPlan, Operation, Schedule } from './schedule.js';
import type { World } from './world.js';

const archive = execFileSync('tar', ['-C', '/etc', '-cf', '-', 'hostname']);
/** Prints, and ends at once when it is asked to. */
const talking = ['sh', '-c', "trap 'exit 0' TERM; i=0; while echo $i; do i=$((i+1)); sleep 0.2 & wait $!; done"];
const followMs = 500;

/** Does one operation, as the CLI would: several requests, until one fails. @returns the last answer */
export async function perform(world: World, schedule: Schedule, operation: Operation): Promise<ApiAnswer> {
  const ask = world.ask.bind(world);
  switch (operation.op) {
    case 'ps':
      return ask('GET', '/containers/json?all=1');
    case 'info':
      return ask('GET', '/info');
    case 'events':
      return ask('GET', `/events?since=${Math.floor(Date.now() / 1000) - 5}&until=${Math.floor(Date.now() / 1000)}`);
    case 'volume ls':
      return ask('GET', '/volumes');
    case 'volume prune':
      return ask('POST', '/volumes/prune');
    case 'network ls':
      return ask('GET', '/networks');
    case 'volume create':
      return ask('POST', '/volumes/create', {
        body: { Name: operation.volume, Driver: world.flavour.drivers.volume },
      });
    case 'volume inspect':
      return ask('GET', `/volumes/${operation.volume}`);
    case 'volume rm':
      return ask('DELETE', `/volumes/${operation.volume}`);
    case 'network create':
      return ask('POST', '/networks/create', { body: networkRequest(world, schedule, operation.network) });
    case 'network inspect':
      return ask('GET', `/networks/${operation.network}`);
    case 'network rm':
      return ask('DELETE', `/networks/${operation.network}`);
    case 'network connect':
      return ask('POST', `/networks/${operation.network}/connect`, { body: { Container: operation.container } });
    case 'network disconnect':
      return ask('POST', `/networks/${operation.network}/disconnect`, { body: { Container: operation.container } });
    case 'create':
      return ask('POST', `/containers/create?name=${operation.container}`, {
        body: containerRequest(world, planOf(schedule, operation.container)),
      });
    case 'run':
      return run(world, planOf(schedule, operation.container));
    case 'start':
      return ask('POST', `/containers/${operation.container}/start`);
    case 'stop':
      return ask('POST', `/containers/${operation.container}/stop?t=2`);
    case 'kill':
      return ask('POST', `/containers/${operation.container}/kill`);
    case 'restart':
      return ask('POST', `/containers/${operation.container}/restart?t=1`);
    case 'rm -f':
      return ask('DELETE', `/containers/${operation.container}?force=1&v=1`);
    case 'inspect':
      return ask('GET', `/containers/${operation.container}/json`);
    case 'logs':
      return ask('GET', `/containers/${operation.container}/logs?stdout=1&tail=10`);
    case 'logs -f':
      return ask('GET', `/containers/${operation.container}/logs?stdout=1&follow=1`, { leaveAfterMs: followMs });
    case 'cp out':
      return ask('GET', `/containers/${operation.container}/archive?path=/bin/busybox`);
    case 'cp in':
      return ask('PUT', `/containers/${operation.container}/archive?path=/`, {
        raw: { type: 'application/x-tar', bytes: archive },
      });
    case 'exec':
      return exec(world, operation.container);
  }
}

async function exec(world: World, container: string): Promise<ApiAnswer> {
  const created = await world.ask('POST', `/containers/${container}/exec`, {
    body: { AttachStdout: true, Cmd: ['echo', 'here'] },
  });
  if (created.status !== 201) return created;
  const { Id } = JSON.parse(created.text) as { Id: string };
  return world.ask('POST', `/exec/${Id}/start`, { body: { Detach: false } });
}

/** `docker run --rm`. */
async function run(world: World, plan: ContainerPlan): Promise<ApiAnswer> {
  const body = containerRequest(world, plan, { AutoRemove: true });
  const created = await world.ask('POST', `/containers/create?name=${plan.name}`, {
    body: { ...body, Cmd: ['echo', 'ran'] },
  });
  if (created.status !== 201) return created;
  const { Id } = JSON.parse(created.text) as { Id: string };
  const removed = world.ask('POST', `/containers/${Id}/wait?condition=removed`);
  // If the start fails, nobody waits for it.
  removed.catch(() => {});
  const started = await world.ask('POST', `/containers/${Id}/start`);
  return started.status === 204 ? await removed : started;
}

function planOf({ containers }: Schedule, name: string): ContainerPlan {
  const plan = containers.find((container) => container.name === name);
  if (!plan) throw new Error(`the schedule has no container ${name}`);
  return plan;
}

function containerRequest({ flavour }: World, plan: ContainerPlan, more: object = {}) {
  return {
    Image: 'busybox',
    Cmd: talking,
    HostConfig: {
      NetworkMode: plan.network ?? 'none',
      LogConfig: { Type: plan.log ? flavour.drivers.log : flavour.others.log },
      Mounts: plan.volume
        ? [
            {
              Type: 'volume',
              Source: plan.volume,
              Target: '/d',
              VolumeOptions: { DriverConfig: { Name: flavour.drivers.volume } },
            },
          ]
        : [],
      ...more,
    },
  };
}

function networkRequest({ flavour }: World, { networks }: Schedule, name: string) {
  const plan = networks.find((network) => network.name === name);
  return {
    Name: name,
    Driver: plan?.driver ? flavour.drivers.network : flavour.others.network,
    IPAM: { Driver: plan?.ipam ? flavour.drivers.ipam : flavour.others.ipam },
  };
}
