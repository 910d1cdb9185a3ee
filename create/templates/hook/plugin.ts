import { defineExtension, hookKind, implement } from '@cleat/sdk';

/** Every container, volume and network has a label that says who made it. */
export default defineExtension({
  options: { label: { default: 'owner', help: 'the label that names the owner' } },
  start({ options }) {
    const hook = implement(hookKind, {
      // Before the engine asks about a request. Others do not wait for this hook.
      Capabilities: () => ({
        Protocol: 1,
        Match: [{ Methods: ['POST'], Routes: ['/containers/create', '/volumes/create', '/networks/create'] }],
        Request: 'head',
      }),
      // Before authorization plugins judge the request, and before it is done. A label that the client made up is replaced.
      Request({ Caller }) {
        const owner = Caller.Container ? `container ${Caller.Container.Name}` : Caller.User || 'nobody';
        return { Set: [{ Path: `Body.Labels[${JSON.stringify(options.label)}]`, Value: owner }] };
      },
    });
    return { implementations: [hook] };
  },
});
