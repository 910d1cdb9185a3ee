import { authzKind, defineExtension, forbidden, implement } from '@cleat/sdk';
import { askedOf, type Demand, EngineObjects, type Setting } from '@cleat/sdk/authz';

/** Settings that lead out of a container; the values that do not. */
const refused: Partial<Record<Setting, RegExp>> = {
  privileged: /^$/,
  capabilities: /^(NET_BIND_SERVICE|CHOWN|SETUID|SETGID)$/,
  devices: /^$/,
  namespaces: /^$/,
  'security-options': /^no-new-privileges/,
  unmasked: /^$/,
  'cgroup-parents': /^$/,
  annotations: /^$/,
  runtimes: /^$/,
  'host-paths': /^$/,
  propagation: /^r?slave$/,
  'volume-drivers': /^local$/,
  'volume-options': /^$/,
  unseen: /^image:(load|import)$/,
  unknown: /^$/,
};

/** Nobody gets a privilege of the host, or a path of it, whichever of the API's spellings asks for it. */
export default defineExtension({
  options: { engine: { help: 'address of the engine, which is asked what existing volumes and containers are' } },
  start({ options: { engine } }) {
    const objects = new EngineObjects(engine);

    /** @throws Forbidden, and whatever went wrong on the way: both are a no */
    async function check(demand: Demand): Promise<void> {
      if (demand.what === 'setting') {
        const harmless = refused[demand.setting];
        if (harmless && !harmless.test(demand.value))
          throw forbidden(`${demand.setting} ${demand.value} is for nobody`);
      }
      if (demand.what !== 'object' || demand.use === 'look') return;
      const { type, name, takes } = demand;
      // Names hide what is behind them: a volume that is a path of the host, a container that has one, the host's network.
      const hides = takes || (['volume', 'network'].includes(type) && demand.use === 'use' && name !== '');
      const { hostPaths = [], options = {}, driver } = (hides && (await objects.find(type, name))) || {};
      const ways = [...(takes ? hostPaths : []), ...Object.keys(options), ...(driver === 'host' ? [driver] : [])];
      if (ways.length > 0) throw forbidden(`${type} ${name} leads to the host: ${ways.join(', ')}`);
    }

    const authorizer = implement(authzKind, {
      async AuthZReq(message) {
        if (objects.isOwnQuestion(message)) return { Allow: true };
        try {
          for (const demand of askedOf(message).demands) await check(demand);
          return { Allow: true };
        } catch (error) {
          return { Allow: false, Msg: error instanceof Error ? error.message : String(error) };
        }
      },
      AuthZRes: () => ({ Allow: true }),
    });
    return { implementations: [authorizer] };
  },
});
