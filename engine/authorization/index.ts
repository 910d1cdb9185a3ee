import type { Extensions } from '@cleat/extensions/service';
import { callerText, nobody } from '@cleat/protocol/caller';
import { forbidden, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { type AuthorizationRequest, type AuthorizationVerdict, authzKind } from '@cleat/protocol/kinds/authz';
import type { Client } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { readable } from '@cleat/protocol/untrusted';
import { asDetails } from '@cleat/protocol/verdict';
import type { ApiAnswer, ApiRequest, Authorization } from './service.js';

export interface AuthorizationDeps {
  /** Read at each request: SIGHUP changes it. */
  readonly config: { readonly authorizationPlugins?: readonly string[] };
  readonly extensions: Extensions;
  readonly log: Logger;
  /**
   * Whether it is a managed plugin that is disabled. One that was disabled while it was asked is not asked any longer (as
   * in moby `daemon/pkg/plugin`, Disable): it has allowed that itself, and could not be enabled again otherwise. One that
   * was disabled before, or by an engine that ran before this one, refuses everything, as any that does not answer.
   */
  readonly isDisabled?: (plugin: string) => boolean;
}

type Question = keyof typeof authzKind.methods;

/**
 * Bytes of a body that plugins are sent: 4 MiB of a request as in dockerd, and of an answer what the longest listings
 * need. What cannot be judged whole is refused: a policy must not be blinded by padding (CVE-2024-41110 and its like).
 */
const maxRequestBytes = 4 * 1024 * 1024;
const maxAnswerBytes = 16 * 1024 * 1024;
/** How long one that is not there may take to come: it may be restarting. The question itself has its own deadline. */
const patienceMs = 10_000;
/** Characters of what a plugin says, for client and log. */
const maxMessage = 4096;

export function openAuthorization({
  config,
  extensions,
  log,
  isDisabled = () => false,
}: AuthorizationDeps): Authorization {
  /** Named, and enabled at a request of this run of the engine. */
  const asked = new Set<string>();

  /** As dockerd does, one that is named twice is asked once. */
  function plugins(): string[] {
    const named = config.authorizationPlugins ?? [];
    for (const name of asked) if (!named.includes(name)) asked.delete(name);
    return named.filter((name, at) => {
      if (named.indexOf(name) !== at) return false;
      if (isDisabled(name)) return !asked.has(name);
      asked.add(name);
      return true;
    });
  }

  async function ask(question: Question, message: AuthorizationRequest): Promise<void> {
    for (const plugin of plugins()) {
      let verdict: AuthorizationVerdict;
      try {
        const client = extensions.ready(authzKind, plugin) ?? (await arrival(plugin));
        verdict = await client[question](message);
      } catch (cause) {
        throw failure(plugin, question, message, cause);
      }
      if (!verdict.Allow) throw denial(plugin, question, message, verdict);
    }
  }

  function failure(plugin: string, question: Question, message: AuthorizationRequest, cause: unknown): Error {
    const reason = readable(messageOf(cause), maxMessage);
    const why = `plugin ${plugin} failed with error: ${reason}`;
    const facts = factsOf(plugin, question, message);
    log.error('a request was refused because an authorization plugin failed', { ...facts, error: why });
    return systemError(why, { cause, details: asDetails({ by: `authorizer ${plugin}`, reason, denied: false }) });
  }

  function denial(
    plugin: string,
    question: Question,
    message: AuthorizationRequest,
    { Msg = '' }: AuthorizationVerdict,
  ): Error {
    const reason = readable(Msg, maxMessage);
    log.warn('an authorization plugin denied a request', { ...factsOf(plugin, question, message), reason });
    return forbidden(`authorization denied by plugin ${plugin}: ${reason}`, {
      details: asDetails({ by: `authorizer ${plugin}`, reason, denied: true }),
    });
  }

  async function arrival(plugin: string): Promise<Client<typeof authzKind>> {
    const late = AbortSignal.timeout(patienceMs);
    return await extensions.get(authzKind, plugin, { signal: late }).catch((error: unknown) => {
      throw late.aborted ? systemError(`it did not come within ${patienceMs / 1000} s`, { cause: error }) : error;
    });
  }

  return {
    get required() {
      return (config.authorizationPlugins?.length ?? 0) > 0;
    },

    async authorize(request) {
      const message = requestMessage(request);
      await ask('AuthZReq', message);
      return async (answer) => ask('AuthZRes', { ...message, ...answerFields(answer) });
    },
  };
}

/** For a line of the log. */
const factsOf = (plugin: string, question: Question, message: AuthorizationRequest) => ({
  plugin,
  question,
  caller: callerText(message.Caller ?? nobody),
  method: message.RequestMethod,
  uri: message.RequestUri,
});

/** Empty members are left out, as Go's `omitempty` does. */
function requestMessage(request: ApiRequest): AuthorizationRequest {
  const { caller, certificates, body } = request;
  // Docker's plugins know users by certificates alone.
  const user = caller.Method === 'TLS' ? caller.User : '';
  const bytes = Buffer.from(body ?? '');
  if (bytes.length > maxRequestBytes) {
    throw invalidParameter(`request body too large for authorization plugin: size exceeds ${maxRequestBytes} bytes`);
  }
  return {
    ...(user && { User: user }),
    ...(user && { UserAuthNMethod: caller.Method }),
    RequestMethod: request.method,
    RequestUri: request.uri,
    ...(bytes.length > 0 && { RequestBody: bytes.toString('base64') }),
    RequestHeaders: { ...request.headers },
    ...(certificates.length > 0 && {
      RequestPeerCertificates: certificates.map((pem) => Buffer.from(pem).toString('base64')),
    }),
    Caller: caller,
  };
}

function answerFields({ status, headers, body }: ApiAnswer): AuthorizationRequest {
  if (body && body.length > maxAnswerBytes) {
    throw systemError(`response body too large for authorization plugin: size exceeds ${maxAnswerBytes} bytes`);
  }
  return {
    ResponseStatusCode: status,
    ResponseHeaders: { ...headers },
    ...(body && body.length > 0 && { ResponseBody: body.toString('base64') }),
  };
}
