import type { World } from '../world.js';

interface ContainerDetails {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Running: boolean };
  readonly HostConfig: { readonly LogConfig: { readonly Type: string } };
  readonly Mounts: readonly { readonly Type: string; readonly Driver?: string; readonly Name?: string }[];
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
}

interface NetworkDetails {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly IPAM: { readonly Driver: string; readonly Config: readonly { Subnet?: string; Gateway?: string }[] };
}

/** Everything that exists and runs, as the engine says. */
export interface Inventory {
  readonly containers: readonly ContainerDetails[];
  readonly networks: readonly NetworkDetails[];
  readonly volumes: readonly string[];
}

/** Entries that each plugin's account must hold for an inventory; sorted, without what tells two of a kind apart. */
export function expectedAccounts(
  { containers, networks, volumes }: Inventory,
  { drivers, execRoot }: { drivers: World['flavour']['drivers']; execRoot: string },
): Record<'volume' | 'log' | 'network' | 'ipam', string[]> {
  const running = containers.filter(({ State }) => State.Running);
  const attached = running.flatMap(({ NetworkSettings }) =>
    Object.entries(NetworkSettings.Networks).flatMap(([name, { IPAddress }]) => {
      const network = networks.find((one) => one.Name === name);
      return network ? [{ network, address: IPAddress }] : [];
    }),
  );
  const ofDriver = networks.filter(({ Driver }) => Driver === drivers.network);
  const ofIpam = networks.filter(({ IPAM }) => IPAM.Driver === drivers.ipam);
  const subnet = ({ IPAM }: NetworkDetails) => IPAM.Config[0]?.Subnet ?? '';
  const joined = attached.filter(({ network }) => network.Driver === drivers.network);
  return {
    volume: [
      ...volumes.map((name) => `volume ${name}`),
      ...running.flatMap(({ Mounts }) =>
        Mounts.filter(({ Driver }) => Driver === drivers.volume).map(({ Name }) => `mount ${Name}`),
      ),
    ].sort(),
    log: running
      .filter(({ HostConfig }) => HostConfig.LogConfig.Type === drivers.log)
      .map(({ Id }) => `logging ${execRoot}/log/${Id}`)
      .sort(),
    network: [...ofDriver.map(({ Id }) => `network ${Id}`), ...joined.flatMap(() => ['endpoint', 'join'])].sort(),
    ipam: [
      ...ofIpam.flatMap((network) => [
        `pool ${subnet(network)}`,
        `address ${subnet(network)} ${network.IPAM.Config[0]?.Gateway}`,
      ]),
      ...attached
        .filter(({ network }) => network.IPAM.Driver === drivers.ipam)
        .map(({ network, address }) => `address ${subnet(network)} ${address}`),
    ].sort(),
  };
}

/** Without IDs that only the plugin and the engine's innermost know. */
export function generalized(key: string): string {
  const [what, ...rest] = key.split(' ');
  if (what === 'endpoint' || what === 'join') return what;
  if (what === 'mount') return `mount ${rest[0]}`;
  return key;
}

export function differences(who: string, account: readonly string[], expected: readonly string[]): string[] {
  const missing = [...expected];
  const surplus = account.filter((key) => {
    const at = missing.indexOf(key);
    if (at >= 0) missing.splice(at, 1);
    return at < 0;
  });
  return [
    ...surplus.map((key) => `${who} still has: ${key}`),
    ...missing.map((key) => `${who} does not know of: ${key}`),
  ];
}

/**
 * An engine that was killed while an address management answered does not know what it was given, and has no way to
 * give it back: the plugin forgets it.
 */
export async function forgiveAllocations(world: World): Promise<void> {
  const { flavour, engine, victims } = world;
  const statement = await victims.get('ipam')?.statement();
  if (!statement) return;
  const { ipam } = expectedAccounts(await takeInventory(world), {
    drivers: flavour.drivers,
    execRoot: engine.execRoot,
  });
  await victims.get('ipam')?.forget(statement.open.filter((key) => !ipam.includes(key)));
}

/** Whether the plugins' accounts hold exactly what runs. @returns a sentence for each difference */
export async function accountComplaints(world: World): Promise<string[]> {
  const { flavour, engine, victims } = world;
  if (!flavour.misbehaviour) return [];
  const inventory = await takeInventory(world);
  const expected = expectedAccounts(inventory, { drivers: flavour.drivers, execRoot: engine.execRoot });
  const complaints: string[] = [];
  for (const kind of ['volume', 'log', 'network', 'ipam'] as const) {
    const victim = victims.get(kind);
    const statement = await victim?.statement();
    if (!victim || !statement) continue;
    // The next engine cannot give back what the engine before it never learned to have.
    const problems = statement.problems.filter(({ since }) => !world.mayHaveMissed(since));
    complaints.push(...problems.map(({ text }) => `${victim.name} was asked: ${text}`));
    complaints.push(...differences(victim.name, statement.open.map(generalized).sort(), expected[kind]));
  }
  return complaints;
}

async function takeInventory(world: World): Promise<Inventory> {
  const rows = await world.json<{ Id: string }[]>('GET', '/containers/json?all=1');
  const networks = await world.json<NetworkDetails[]>('GET', '/networks');
  const { Volumes } = await world.json<{ Volumes: { Name: string; Driver: string }[] }>('GET', '/volumes');
  const containers: ContainerDetails[] = [];
  for (const { Id } of rows) containers.push(await world.json('GET', `/containers/${Id}/json`));
  const own = Volumes.filter(({ Driver }) => Driver === world.flavour.drivers.volume);
  return { containers, networks, volumes: own.map(({ Name }) => Name) };
}
