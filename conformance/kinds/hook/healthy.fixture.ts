import type { hookKind } from '@cleat/protocol/kinds/hook';
import type { Handlers } from '@cleat/protocol/kinds/kind';

export type HookHandlers = Handlers<typeof hookKind>;

/** A hook that does everything right: it labels what is created, and says so. */
export class HealthyHook implements HookHandlers {
  Capabilities: HookHandlers['Capabilities'] = () => ({ Protocol: 1, Request: 'body', Response: 'body' });

  Request: NonNullable<HookHandlers['Request']> = ({ Method, Route, Caller }) => {
    if (Route === '/build') return { Deny: { Message: 'nobody builds here' } };
    if (Method !== 'POST' || Route !== '/containers/create') return {};
    return { Set: [{ Path: 'Body.Labels["com.example.owner"]', Value: Caller.User }] };
  };

  Response: NonNullable<HookHandlers['Response']> = () => ({ Set: [{ Path: 'Headers.X-Hooked', Value: 'yes' }] });
}
