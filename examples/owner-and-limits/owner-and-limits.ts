import { defineExtension, hookKind, implement, invalidParameter } from '@cleat/sdk';
import { ownerOf } from '@cleat/sdk/authz';

/** Members of a request that hold limits, as far as this hook looks at them. */
interface Limits {
  Memory?: number;
  MemorySwap?: number;
  NanoCpus?: number;
  CpuQuota?: number;
  CpuPeriod?: number;
}

/** Each container is labelled with who made it, and has no more memory and processor than it may. */
export default defineExtension({
  options: {
    label: { default: 'com.cleat.owner', help: 'the label that names the owner' },
    memory: { default: '512', help: 'the most memory of a container, in MiB' },
    cpus: { default: '1', help: 'the most processors of a container, such as 0.5' },
  },
  start({ options }) {
    const memory = Number(options.memory) * 1024 * 1024;
    const nanoCpus = Math.round(Number(options.cpus) * 1e9);
    if (!(memory > 0 && nanoCpus > 0)) throw invalidParameter('--memory and --cpus are numbers above 0');

    /** At creation all is limited; an update that leaves a limit out leaves it as it is. */
    function limited(limits: Limits, at: string, isNew: boolean) {
      const { Memory = 0, MemorySwap = 0, NanoCpus = 0, CpuQuota = 0, CpuPeriod = 0 } = limits;
      const set: { Path: string; Value: unknown }[] = [];
      const remove: string[] = [];
      if (Memory > memory || (Memory <= 0 && isNew)) set.push({ Path: `${at}.Memory`, Value: memory });
      // A limit of swap belongs to the memory that was asked for; -1 is as much as there is.
      if (MemorySwap !== 0) remove.push(`${at}.MemorySwap`);
      if (CpuQuota !== 0 || CpuPeriod !== 0) remove.push(`${at}.CpuQuota`, `${at}.CpuPeriod`);
      if (NanoCpus > nanoCpus || (NanoCpus <= 0 && isNew)) set.push({ Path: `${at}.NanoCpus`, Value: nanoCpus });
      return { set, remove };
    }

    const hook = implement(hookKind, {
      Capabilities: () => ({
        Protocol: 1,
        Match: [{ Methods: ['POST'], Routes: ['/containers/create', '/containers/*/update'] }],
        Request: 'body',
      }),
      Request({ Route, Caller, Body }) {
        const body = (Body ?? {}) as Limits & { HostConfig?: Limits };
        if (Route !== '/containers/create') {
          const { set, remove } = limited(body, 'Body', false);
          return { Set: set, Remove: remove };
        }
        const { set, remove } = limited(body.HostConfig ?? {}, 'Body.HostConfig', true);
        const owner = ownerOf(Caller) ?? 'nobody';
        const label = { Path: `Body.Labels[${JSON.stringify(options.label)}]`, Value: owner };
        return { Set: [label, ...set], Remove: remove };
      },
    });
    return { implementations: [hook] };
  },
});
