import { errorBody, type Reply } from './answer.js';
import { messageOf } from './errors.js';
import type { Implementation } from './extension.js';
import { decode, parseJson, stringify } from './json.js';
import { type CallContext, type Kind, type Method, methodPath } from './kinds/kind.js';

/** The path by which the engine asks what an extension implements. */
export const activatePath = '/Plugin.Activate';

/** Carries the message of a method whose body is a stream: JSON in ASCII. */
export const messageHeader = 'cleat-message';

/** The media type of Docker's plugin protocol, which both sides send (moby `pkg/plugins`). */
export const pluginMediaType = 'application/vnd.docker.plugins.v1.2+json';

/** A reply whose body is a stream of raw bytes. */
export interface StreamReply {
  status: 200;
  stream: AsyncIterable<Uint8Array>;
}

/** JSON as the value of a header. */
export function asciiJson(text: string): string {
  return text.replace(/[\u007f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

type Handler = (request: unknown, context: CallContext) => unknown;

/**
 * The server's side of every kind: brings a message to its handler and the outcome back, as text. The SDK puts it
 * behind a socket, the engine's in-process carrier calls it directly, so both carriers behave alike.
 */
export class Dispatcher {
  readonly #routes = new Map<string, { kind: Kind; method: Method; handler: Handler | undefined }>();
  readonly #capabilities: string[] = [];

  constructor(implementations: readonly Implementation[]) {
    for (const { kind, handlers } of implementations) {
      this.#capabilities.push(kind.name);
      for (const [name, method] of Object.entries(kind.methods)) {
        const handler = handlers[name];
        this.#routes.set(methodPath(kind, name), {
          kind,
          method,
          // Handlers may be methods of a class: they keep their `this`.
          handler: typeof handler === 'function' ? (handler.bind(handlers) as Handler) : undefined,
        });
      }
    }
  }

  /** The capability names, as `/Plugin.Activate` lists them. */
  get capabilities(): readonly string[] {
    return this.#capabilities;
  }

  /** The paths of all methods that have a handler. */
  get paths(): string[] {
    return [...this.#routes].filter(([, { handler }]) => handler).map(([path]) => path);
  }

  /** Whether the request's body is a stream, and its message in the header {@link messageHeader}. */
  takesStream(path: string): boolean {
    return this.#routes.get(path)?.method.streams === 'both';
  }

  /**
   * Serves one message. Never throws: what goes wrong is a reply.
   * @param path for example `/VolumeDriver.Create`
   * @param text the request's body; empty stands for `{}`
   * @param context handed to the handler
   */
  async serve(path: string, text: string, context: CallContext): Promise<Reply | StreamReply> {
    if (path === activatePath) return { status: 200, text: stringify({ Implements: this.#capabilities }) };
    const route = this.#routes.get(path);
    if (!route?.handler) return { status: 404, text: 'not found' };
    const { kind, method, handler } = route;
    let request: unknown;
    try {
      request = decode(method.request, text.trim() === '' ? {} : parseJson(text), path.slice(1));
    } catch (error) {
      return { status: 400, text: stringify({ [kind.errorKey]: `cannot read the request: ${messageOf(error)}` }) };
    }
    try {
      const answer = await handler(request, context);
      if (method.streams) return { status: 200, stream: answer as AsyncIterable<Uint8Array> };
      return { status: 200, text: stringify(answer ?? {}) };
    } catch (error) {
      return { status: 500, text: stringify(errorBody(kind.errorKey, error)) };
    }
  }
}
