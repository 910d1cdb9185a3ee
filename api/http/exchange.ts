import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { AdapterRun, HookRun } from '@cleat/engine/hooks/service';
import { systemError } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { type Static, stringify, type TSchema } from '@cleat/protocol/json';
import type { Logger } from '@cleat/protocol/log';
import type { Peer } from '../callers/peer.js';
import type { HijackedConnection } from '../hijack/hijacked.js';
import type { Hijacker } from '../hijack/hijacker.js';
import type { WithheldBody } from '../hijack/withheld-body.js';
import { type Answer, Outgoing } from './answer.js';
import { isExpected, type JsonBody, readText } from './body.js';
import { DeclaredBody } from './declared-body.js';
import { type ExchangeChange, type ExchangeParts, nextId, type Rerouting } from './exchange-parts.js';
import { changedHeaders } from './flat-headers.js';
import { bodyOf, type Flows } from './flows.js';
import type { ApiRequest, ApiResponse, Streams, Transport } from './messages.js';
import type { Presence } from './presence.js';
import { Query } from './query.js';
import { StreamedAnswer } from './streamed-answer.js';
import { canonicalPath, type Match, type RouteShape, type Target } from './target.js';
import { isBefore } from './version.js';

/** One request and its answer, as handlers see them. */
export class Exchange {
  /** Names the request in the log. */
  readonly id = nextId();
  #method: string;
  #version: string;
  #headers: IncomingHttpHeaders;
  #rawHeaders: readonly string[];
  #query: Query;
  readonly transport: Transport;
  /** The client. */
  readonly peer: Peer;
  readonly request: ApiRequest;
  readonly response: ApiResponse;
  /** Where the answer goes, and who looks at it first. */
  readonly outgoing: Outgoing;
  /** From here on, what a client is told to be done outlives a power cut. @throws System */
  readonly settled: () => Promise<void>;
  /** ID of the container that the request has made, for the audit journal. */
  made: string | undefined;
  readonly #body: Buffer | undefined;
  readonly #streams: Streams | undefined;
  readonly #presence: Presence;
  readonly #parentLog: Logger;
  #log: Logger | undefined;
  #target: Target;
  #match: Match;
  readonly #hijacker: Hijacker | undefined;
  #declaredBody: DeclaredBody | undefined;
  readonly #stream: StreamedAnswer;
  #instead: Answer | undefined;
  #upFlow: Flows['up'];
  #endings: ((status: number) => void)[] | undefined;
  /** Its way through Powerstrip's adapters, where it concerns any, and through the hooks. */
  adapters: AdapterRun | undefined;
  hooked: HookRun | undefined;

  constructor(parts: ExchangeParts) {
    this.#method = parts.request.method ?? 'GET';
    this.#version = parts.version;
    this.#headers = parts.request.headers;
    this.#rawHeaders = parts.request.rawHeaders;
    this.#query = new Query(parts.target.query);
    this.transport = parts.transport;
    this.peer = parts.peer;
    this.request = parts.request;
    this.response = parts.response;
    this.#body = parts.body;
    this.#streams = parts.streams;
    this.#presence = parts.presence;
    this.#parentLog = parts.log;
    this.outgoing = new Outgoing(parts.response, this.#method);
    this.#stream = new StreamedAnswer(() => this.#mustFlow().response, this.outgoing);
    this.settled = parts.settled ?? (async () => {});
    this.#target = parts.target;
    this.#match = parts.match;
    this.#hijacker = parts.hijacker;
  }

  get method(): string {
    return this.#method;
  }

  get path(): string {
    return this.#target.path;
  }

  get version(): string {
    return this.#version;
  }

  /** As the request has them; hooks may have changed them. */
  get headers(): IncomingHttpHeaders {
    return this.#headers;
  }

  /** Names and values in turn. */
  get rawHeaders(): readonly string[] {
    return this.#rawHeaders;
  }

  get query(): Query {
    return this.#query;
  }

  /** It speaks HTTP/1.0, which knows no chunks. */
  get isOldClient(): boolean {
    return this.#streams?.request.httpVersionMinor === 0;
  }

  get route(): RouteShape {
    return this.#match.route;
  }

  get params(): Readonly<Record<string, string>> {
    return this.#match.params;
  }

  get match(): Match {
    return this.#match;
  }

  /** Makes it a request for another route, for everybody who looks at it from now on. */
  reroute({ method, target, match, version }: Rerouting): void {
    this.#method = method;
    this.#target = target;
    this.#match = match;
    this.#version = version;
    this.#query = new Query(target.query);
    this.#declaredBody?.decodeAgain();
  }

  /** A body may be sent, and is read by the handler: as JSON, as the route declares it. */
  get takesBody(): boolean {
    const { body } = this.#match.route;
    return body !== undefined && isExpected(body, this.version, this.headers['content-type']);
  }

  /** Makes it another request, for everybody who looks at it from now on: authorizers, and the handler. */
  change({ query, headers, body }: ExchangeChange): void {
    if (query) this.#query = query;
    if (body) this.#declared.replaceValue(body.value);
    if (headers) [this.#headers, this.#rawHeaders] = changedHeaders(this.#headers, this.#rawHeaders, headers);
  }

  /** An answer in the place of the handler's: nothing is done. */
  answerInstead(answer: Answer): void {
    this.#instead = answer;
  }

  /** Calls the listener with the answer's status when it is out, or 0 where there was none. */
  onEnd(listener: (status: number) => void): void {
    this.#endings ??= [];
    this.#endings.push(listener);
  }

  /** Has the request served, or answered by who answers instead. */
  async serve(handler: () => Promise<void> | void): Promise<void> {
    const instead = this.#instead;
    if (instead) {
      this.outgoing.send(instead.status, instead.headers, instead.body);
    } else {
      const handled = handler();
      if (handled) await handled;
    }
    if (this.outgoing.isHeld) await this.outgoing.finish();
  }

  /** The exchange is over. */
  conclude(status: number): void {
    for (const listener of this.#endings?.splice(0) ?? []) listener(status);
  }

  /** Aborted when the client has gone. */
  get signal(): AbortSignal {
    return this.#presence.signal;
  }

  /** Its lines name the request. Made when there is something to say. */
  get log(): Logger {
    this.#log ??= this.#parentLog.child({ request: this.id });
    return this.#log;
  }

  /** The client's API is older. */
  before(version: string): boolean {
    return isBefore(this.version, version);
  }

  param(name: string): string {
    const value = this.#match.params[name];
    if (value === undefined) throw systemError(`route has no parameter ${name}`);
    return value;
  }

  /**
   * The target as it was understood, in one spelling, with its version prefix where the client gave one: an authorizer
   * that judges a request must not be led astray by percent-encoding or slashes.
   */
  get uri(): string {
    const query = this.query.toString();
    return `${this.prefix}${canonicalPath(this.#match)}${query && `?${query}`}`;
  }

  /** `/v1.41`, where the client gave a version. */
  get prefix(): string {
    const { version } = this.#target;
    return version === undefined ? '' : `/v${version}`;
  }

  /**
   * The JSON body that the route declares, in its schema's shape; undefined when there is none.
   * @throws InvalidParameter
   */
  async json<S extends TSchema>(body: JsonBody<S>): Promise<Static<S> | undefined> {
    // A body that is not declared would be read behind the back of the checks.
    if (body !== this.#match.route.body) throw systemError(`the route does not declare this body`);
    return (await this.declaredBody()) as Static<S> | undefined;
  }

  /** The same for callers that do not know the route: read once, and the very value that the handler gets. */
  declaredBody(): Promise<unknown> {
    return this.#declared.value();
  }

  /** The body as it was sent, or as it was replaced; read once. @throws InvalidParameter when it is too large */
  text(): Promise<string> {
    return this.#declared.text();
  }

  /** Another text in the place of the body, before anybody has decoded it. */
  replaceText(text: string): void {
    this.#declared.replaceText(text);
  }

  /** The declared body for another engine: as the checks have seen it, and only if they have looked. */
  judgedBody(): Promise<{ json: Buffer | undefined } | undefined> {
    return this.#declared.judged();
  }

  /** Most requests have none. */
  get #declared(): DeclaredBody {
    this.#declaredBody ??= new DeclaredBody({
      read: async () => {
        if (this.#body) return this.#body.toString();
        const flowing = () => this.#parsed().iterator({ destroyOnReturn: false });
        return await readText(this.#hijacker ? this.#hijacker.body() : flowing());
      },
      expected: () => {
        const { body } = this.#match.route;
        return body && this.takesBody ? { body, type: this.headers['content-type'] } : undefined;
      },
    });
    return this.#declaredBody;
  }

  /**
   * The body as it comes. Its reader may stop and destroy it: the connection lives on, for the answer, and what is
   * left of the body is read and dropped.
   */
  body(): Readable {
    this.#mustStream('up');
    const body = this.#hijacker ? owned(Readable.from(this.#hijacker.body())) : bodyOf(this.#parsed());
    return this.#upFlow ? owned(Readable.from(this.#upFlow(body), { objectMode: false })) : body;
  }

  /** A body in chunks that nobody looks at: it can be handed on as it came. Undefined for any other. */
  get untouchedBody(): WithheldBody | undefined {
    const withheld = this.#streams?.withheld;
    return withheld?.isUndecided && !this.#upFlow ? withheld : undefined;
  }

  /** Has the bytes of a body, or of an answer that is a stream, led through others. */
  setFlows({ up, down }: Flows): void {
    this.#upFlow = up;
    this.#stream.flow = down;
  }

  /** Has answers of these content types sent whole that would be streams: somebody wants to change them. */
  collect(wants: (contentType: string) => boolean): void {
    this.#stream.collects = wants;
  }

  /** Whether an answer of that type is to be sent whole. */
  isCollected(contentType: string): boolean {
    return this.#stream.isCollected(contentType);
  }

  /** Answers with JSON, ended by a line feed as Go's encoder does. */
  send(status: number, value: unknown): void {
    this.#sendBody(status, 'application/json', Buffer.from(`${stringify(value)}\n`));
  }

  /** JSON that is encoded already, with its line feed. */
  sendJson(status: number, body: Buffer): void {
    this.#sendBody(status, 'application/json', body);
  }

  sendText(status: number, text: string): void {
    this.#sendBody(status, 'text/plain; charset=utf-8', Buffer.from(text));
  }

  #sendBody(status: number, type: string, body: Buffer): void {
    this.outgoing.send(status, { 'Content-Type': type, 'Content-Length': body.length }, body);
  }

  sendEmpty(status: number): void {
    this.outgoing.send(status, status === 204 ? {} : { 'Content-Length': 0 });
  }

  /** A hook wants the bytes of the body; so nobody knows their length. */
  get isBodyLed(): boolean {
    return this.#upFlow !== undefined;
  }

  /** Sends the head before there is anything to say. */
  async begin(status: number, contentType: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#mustStream('down');
    await this.#stream.begin(status, { 'Content-Type': contentType, ...more });
  }

  /** Sends a head that another engine made, changed by the hooks. @returns where the body goes, in that head's coding */
  async beginAs(answer: Answer): Promise<ServerResponse> {
    this.#mustStream('down');
    return await this.#stream.beginAs(answer);
  }

  /** Part of an answer that was begun. @returns false when the client has gone. */
  write(data: string | Uint8Array): Promise<boolean> {
    return this.#stream.write(data);
  }

  /** A value as a line of JSON. */
  writeLine(value: unknown): Promise<boolean> {
    return this.write(`${stringify(value)}\n`);
  }

  end(): void {
    this.#stream.end();
  }

  /** Streams a source as the whole answer; a failure of the source cuts the connection. */
  async pipe(contentType: string, source: Readable, more: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.pipeAs({ status: 200, headers: { 'Content-Type': contentType, ...more }, body: undefined }, source);
  }

  /** The same with a head that another engine made. */
  async pipeAs(head: Answer, source: Readable): Promise<void> {
    owned(source);
    this.#mustStream('down');
    await this.#stream.from(head, source);
  }

  /** A hook wants the bytes of the answer. */
  get isAnswerLed(): boolean {
    return this.#stream.flow !== undefined;
  }

  get canHijack(): boolean {
    return this.#hijacker !== undefined;
  }

  /** Takes the connection over. Only on routes that are marked as hijacking. */
  async hijack(contentType: string, protocol = 'tcp'): Promise<HijackedConnection> {
    const hijacker = this.#mustHijack();
    await this.outgoing.look({ status: hijacker.status, headers: { 'Content-Type': contentType }, body: undefined });
    return hijacker.hijack(contentType, protocol);
  }

  /** The same for who reads and writes the socket itself. */
  async hijackSocket(contentType: string, protocol: string): Promise<Socket> {
    const hijacker = this.#mustHijack();
    await this.outgoing.look({ status: hijacker.status, headers: { 'Content-Type': contentType }, body: undefined });
    return await hijacker.hijackSocket(contentType, protocol);
  }

  /** The same with a head that another engine made. @param dropsBody a body means nothing: what counts follows it */
  async hijackAs(answer: Answer, dropsBody: boolean): Promise<HijackedConnection> {
    const hijacker = this.#mustHijack();
    await this.outgoing.look({ ...answer, status: hijacker.status });
    return await hijacker.hijackAs(answer.headers, dropsBody);
  }

  async hijackWebSocket(kind: 'text' | 'binary'): Promise<HijackedConnection> {
    const hijacker = this.#mustHijack();
    await this.outgoing.look({ status: 101, headers: {}, body: undefined });
    return hijacker.hijackWebSocket(kind);
  }

  /** The list of routes says which ones stream: tests abort each of them. */
  #mustStream(way: 'up' | 'down'): Streams {
    const { streams } = this.#match.route;
    if (streams !== way && streams !== 'both') throw systemError(`the route is not marked as streaming ${way}`);
    return this.#mustFlow();
  }

  #mustFlow(): Streams {
    if (!this.#streams) throw systemError('a plain request has no streams');
    return this.#streams;
  }

  /** The request, with the body that its parser reads. */
  #parsed(): IncomingMessage {
    const { request, withheld } = this.#mustFlow();
    withheld?.parse();
    return request;
  }

  #mustHijack(): Hijacker {
    if (!this.#hijacker) throw systemError('the route is not marked as hijacking');
    return this.#hijacker;
  }
}
