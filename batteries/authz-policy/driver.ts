import { groupNumber } from '@cleat/linux/process/user-names';
import { callerText } from '@cleat/protocol/caller';
import { messageOf } from '@cleat/protocol/errors';
import type { authzKind } from '@cleat/protocol/kinds/authz';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { EngineObjects } from '@cleat/sdk/authz';
import { spoken } from '@cleat/sdk/policy';
import type { Settings } from './options.js';
import { PlainPaths } from './plain-paths.js';
import { PolicyFile } from './policy-file.js';

export interface Driver {
  readonly handlers: Handlers<typeof authzKind>;
  /** @throws Unavailable when the file is wrong */
  health(): Promise<void>;
  close(): void;
}

/** An authorizer that does what a file says. Whatever goes wrong on the way is a no. */
export function createDriver(settings: Settings, log: Logger): Driver {
  const objects = new EngineObjects(settings.engine);
  const paths = new PlainPaths();
  const file = new PolicyFile(settings, { objects, isPlainPath: paths.isPlain, groupId: groupNumber }, log);
  return {
    handlers: {
      async AuthZReq(message) {
        // We are asking the engine, which asks us: it must not go round.
        if (objects.isOwnQuestion(message)) return { Allow: true };
        try {
          const judge = await file.now();
          const decision = await judge.judge(message);
          if (decision.allow) return { Allow: true };
          if (!judge.isDryRun && !settings.isDryRun) return { Allow: false, Msg: spoken(decision) };
          log.warn('a request would be denied', {
            caller: callerText(message.Caller ?? { Method: message.User ? 'TLS' : 'none', User: message.User ?? '' }),
            method: message.RequestMethod,
            uri: message.RequestUri,
            rule: decision.rule,
            reason: decision.reason,
          });
          return { Allow: true };
        } catch (error) {
          return { Allow: false, Msg: messageOf(error) };
        }
      },
      // A client who may ask may have the answer.
      AuthZRes: () => ({ Allow: true }),
    },
    health: () => file.check(),
    close: () => paths.close(),
  };
}
