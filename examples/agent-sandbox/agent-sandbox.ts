import { type HookRequest, type HookRequestReply, hookKind } from '@cleat/protocol/kinds/hook';
import { defineExtension, implement } from '@cleat/sdk';
import { ownerOf } from '@cleat/sdk/authz';

type Values = Readonly<Record<string, unknown>>;
const isMap = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

const lists = '/containers/json /images/json /networks /volumes /events'.split(' ').map((path) => `GET ${path}`);
const prunes = ['containers', 'images', 'networks', 'volumes'].map((room) => `POST /${room}/prune`);
const makers = ['containers', 'networks', 'volumes'].map((room) => `POST /${room}/create`);
const asked = [...lists, ...prunes, ...makers, 'POST /build'];

/**
 * Makes the requests of containers that have the socket what the policy beside this file demands: all they make carries
 * their label, is bounded, and is on a network of their own; all they list is theirs. What they say themselves is kept, and
 * is for the policy to judge.
 */
export default defineExtension({
  options: {
    network: {
      default: 'sandbox-{name}',
      help: 'the network of an agent’s containers and builds; {name} is the agent',
    },
    label: { default: 'com.cleat.owner', help: 'the label that says whose an object is' },
    memory: { default: '536870912', help: 'bytes of memory of a container or build that asks for no bound' },
    cpus: { default: '1', help: 'its processors' },
    pids: { default: '256', help: 'its processes' },
  },
  start({ options: { network, label, memory, cpus, pids } }) {
    const member = `["${label}"]`;
    const networkOf = ({ Caller }: HookRequest) => network.replaceAll('{name}', Caller.Container?.Name ?? '');

    function container(request: HookRequest): HookRequestReply['Set'] {
      const { Body } = request;
      const host = isMap(Body) && isMap(Body.HostConfig) ? Body.HostConfig : {};
      const isBounded = host.NanoCpus || host.CpuQuota;
      return [
        ...(host.Memory ? [] : [{ Path: 'Body.HostConfig.Memory', Value: Number(memory) }]),
        ...(isBounded ? [] : [{ Path: 'Body.HostConfig.NanoCpus', Value: Number(cpus) * 1e9 }]),
        ...(host.PidsLimit ? [] : [{ Path: 'Body.HostConfig.PidsLimit', Value: Number(pids) }]),
        ...(['', 'default', undefined].includes(host.NetworkMode as string | undefined)
          ? [{ Path: 'Body.HostConfig.NetworkMode', Value: networkOf(request) }]
          : []),
      ];
    }

    function build(request: HookRequest, owner: string): HookRequestReply['Set'] {
      const { Query } = request;
      const given = (name: string) => {
        const value: unknown = typeof Query[name] === 'string' && Query[name] !== '' ? JSON.parse(Query[name]) : {};
        return isMap(value) ? value : {};
      };
      const networkmode = networkOf(request);
      const bounds = { memory, cpuquota: String(Number(cpus) * 100_000), cpuperiod: '100000', networkmode };
      const free = Object.entries(bounds).filter(([name]) =>
        ['', '0', 'default', undefined].includes(Query[name] as string),
      );
      return [
        { Path: 'Query.labels', Value: JSON.stringify({ ...given('labels'), [label]: owner }) },
        // Caches of RUN are its own, too: nobody else's build reads what this one left there.
        {
          Path: 'Query.buildargs',
          Value: JSON.stringify({ ...given('buildargs'), BUILDKIT_CACHE_MOUNT_NS: owner }),
        },
        // The container of a step that failed has no label, by which it could be removed.
        { Path: 'Query.forcerm', Value: '1' },
        ...free.map(([name, Value]) => ({ Path: `Query.${name}`, Value })),
      ];
    }

    const hook = implement(hookKind, {
      Capabilities: () => ({
        Protocol: 1,
        Match: asked.map((line) => {
          const [method = '', route = ''] = line.split(' ');
          return { Methods: [method], Routes: [route], Callers: { Containers: ['*'] } };
        }),
        Request: 'body',
      }),
      Request(request) {
        const owner = ownerOf(request.Caller);
        if (owner === undefined) return {};
        const line = `${request.Method} ${request.Route}`;
        if (line === 'POST /build') return { Set: build(request, owner) };
        if (makers.includes(line)) {
          const more = line === 'POST /containers/create' ? container(request) : [];
          return { Set: [{ Path: `Body.Labels${member}`, Value: owner }, ...(more ?? [])] };
        }
        const filters = isMap(request.Query.filters) ? request.Query.filters : {};
        const others = Array.isArray(filters.label) ? filters.label : [];
        return { Set: [{ Path: 'Query.filters', Value: { ...filters, label: [...others, `${label}=${owner}`] } }] };
      },
    });
    return { implementations: [hook] };
  },
});
