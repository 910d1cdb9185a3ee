import type { Extensions, GetOptions } from '@cleat/extensions/service';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import type { Client } from '@cleat/protocol/kinds/kind';
import { networkKind } from '@cleat/protocol/kinds/network';
import type { Logger } from '@cleat/protocol/log';
import { readable } from '@cleat/protocol/untrusted';

export interface NetworkCapabilities {
  scope: Scope;
  /** Whether it connects hosts, so that it is told which there are. */
  connects: Scope;
  sandbox: 'own' | 'host' | 'none';
  servesPublishedPorts: boolean;
  publishesPerFamily: boolean;
  linksDieWithSandbox: boolean;
  joinsInSandbox: boolean;
  opensLinks: boolean;
  checksGateway: boolean;
  /** It is asked to reserve what a network needs on all hosts. */
  allocatesNetworks: boolean;
  /** It is told the names of containers. */
  knowsEndpointNames: boolean;
  /** It tells names of endpoints to other hosts, and theirs here. */
  sharesNames: boolean;
}

type Scope = 'local' | 'global';

export interface IpamCapabilities {
  requiresMac: boolean;
  /** Pools and addresses that are in use are to be requested again after a restart of the engine. */
  requiresReplay: boolean;
  avoidsBlocksInUse: boolean;
  /** It is told for whom a pool or an address is, and gives back what somebody has. */
  knowsHolders: boolean;
  /** It is told which network a pool is for. */
  knowsNetworks: boolean;
  /** It is told the host names that users gave containers. */
  knowsHostNames: boolean;
  /** Its address spaces, for networks of a driver of that scope. */
  spaces: Readonly<Record<Scope, string>>;
}

/** The drivers behind networks, with what each said of itself; asked once, and again when its state changed. */
export class Drivers {
  readonly #extensions: Extensions;
  readonly #network = new Map<string, Promise<NetworkCapabilities>>();
  readonly #ipam = new Map<string, Promise<IpamCapabilities>>();
  /** Extensions whose answers may be outdated as soon as they are anything but active. */
  readonly #active = new Set<string>();
  readonly #stop: () => void;

  constructor(extensions: Extensions, log: Logger) {
    this.#extensions = extensions;
    this.#stop = extensions.onChange(({ name, state, reason }) => {
      if (state === 'active') return void this.#active.add(name);
      // The first caller has it activated meanwhile: its answer holds.
      if (!this.#active.delete(name) && state === 'activating') return;
      this.#network.delete(name);
      this.#ipam.delete(name);
      if (reason) log.debug('a driver changed its state', { name, state, reason });
    });
  }

  /** The name of the driver that is called so: `vendor/net:latest` for `vendor/net`. */
  networkName(called: string): string {
    return this.#extensions.nameOf(networkKind.name, called);
  }

  ipamName(called: string): string {
    return this.#extensions.nameOf(ipamKind.name, called);
  }

  /** @throws as {@link Extensions.get} does */
  network(name: string, options: GetOptions = {}): Promise<Client<typeof networkKind>> {
    return this.#extensions.get(networkKind, name, options);
  }

  ipam(name: string, options: GetOptions = {}): Promise<Client<typeof ipamKind>> {
    return this.#extensions.get(ipamKind, name, options);
  }

  networkCapabilities(name: string): Promise<NetworkCapabilities> {
    return remember(this.#network, name, async () => {
      const said = await (await this.network(name)).GetCapabilities({});
      return {
        scope: scopeOf(name, said.Scope) || 'local',
        connects: scopeOf(name, said.ConnectivityScope) || scopeOf(name, said.Scope) || 'local',
        sandbox: said.Sandbox ?? 'own',
        servesPublishedPorts: said.ServesPublishedPorts ?? false,
        publishesPerFamily: said.PublishesPerFamily ?? false,
        linksDieWithSandbox: said.LinksDieWithSandbox ?? false,
        joinsInSandbox: said.JoinsInSandbox ?? false,
        opensLinks: said.OpensLinks ?? false,
        checksGateway: said.GwAllocChecker ?? false,
        allocatesNetworks: said.AllocatesNetworks ?? false,
        knowsEndpointNames: said.KnowsEndpointNames ?? false,
        sharesNames: said.SharesNames ?? false,
      };
    });
  }

  ipamCapabilities(name: string): Promise<IpamCapabilities> {
    return remember(this.#ipam, name, async () => {
      const driver = await this.ipam(name);
      const [said, spaces] = await Promise.all([driver.GetCapabilities({}), driver.GetDefaultAddressSpaces({})]);
      return {
        requiresMac: said?.RequiresMACAddress ?? false,
        requiresReplay: said?.RequiresRequestReplay ?? false,
        avoidsBlocksInUse: said?.AvoidsBlocksInUse ?? false,
        knowsHolders: said?.KnowsHolders ?? false,
        knowsNetworks: said?.KnowsNetworks ?? false,
        knowsHostNames: said?.KnowsHostNames ?? false,
        spaces: { local: spaces.LocalDefaultAddressSpace, global: spaces.GlobalDefaultAddressSpace },
      };
    });
  }

  close(): void {
    this.#stop();
  }
}

/** @throws Unavailable for one that there is not, as Docker, which does not register such a driver */
function scopeOf(name: string, scope = ''): Scope | '' {
  if (scope === '' || scope === 'local' || scope === 'global') return scope;
  throw unavailable(
    `plugin "${name}" answered NetworkDriver.GetCapabilities with scope "${readable(scope, 40)}": expected local or global`,
  );
}

function remember<T>(known: Map<string, Promise<T>>, name: string, ask: () => Promise<T>): Promise<T> {
  let answer = known.get(name);
  if (!answer) {
    answer = ask();
    known.set(name, answer);
    answer.catch(() => known.delete(name));
  }
  return answer;
}

/** Collects what a teardown could not do, so that it does all it can first. */
export class Failures {
  readonly #errors: unknown[] = [];

  async attempt(work: () => Promise<unknown> | unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#errors.push(error);
    }
  }

  get any(): boolean {
    return this.#errors.length > 0;
  }

  get message(): string {
    return this.#errors.map(messageOf).join('; ');
  }

  /** @throws AggregateError when something failed */
  raise(): void {
    if (this.any) throw new AggregateError(this.#errors, this.message);
  }
}
