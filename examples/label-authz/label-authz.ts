import { messageOf } from '@cleat/protocol/errors';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { authzKind, defineExtension, forbidden, implement, invalidParameter } from '@cleat/sdk';
import { Engine } from '@cleat/sdk/watch';
import { bodyOf, isBody, member } from './body.js';
import { wayOut } from './host-config.js';
import { type Caller, type PolicyNow, readPolicy } from './policy.js';
import { targetOf } from './target.js';

/** Less than the engine waits for us: while it does, it is asked whose a container is. */
const lookUpMs = 5_000;

/** Actions of a team on its containers; a newer engine may have more, which could be anything. */
const actions: ReadonlySet<string> = new Set([
  ...['archive', 'attach', 'changes', 'exec', 'export', 'kill', 'logs', 'pause', 'rename', 'resize', 'restart'],
  ...['start', 'stats', 'stop', 'top', 'unpause', 'update', 'wait'],
]);

/** A container belongs to the team that its label names: others may look at it, and no more. */
export default defineExtension({
  start({ options }) {
    const { policy: file, engine: address } = options;
    if (typeof file !== 'string') throw invalidParameter('say where the policy is: --policy FILE');
    const engine = new Engine(typeof address === 'string' ? address : undefined, { deadlineMs: lookUpMs });

    /** The team's label of a container, by its name or ID, as the engine takes them. @throws NotFound */
    async function labelOf(container: string, label: string): Promise<unknown> {
      // It comes back to us as a request of ours, which must be allowed without asking the engine: see `decide`.
      const inspected = await engine.get(`/containers/${encodeURIComponent(container)}/json`);
      const labels = member(member(inspected, 'Config'), 'Labels');
      return isBody(labels) ? labels[label] : undefined;
    }

    async function containerOfExec(id: string): Promise<string> {
      const container = member(await engine.get(`/exec/${encodeURIComponent(id)}/json`), 'ContainerID');
      if (typeof container !== 'string') throw forbidden(`there is no exec ${id}`);
      return container;
    }

    /** @throws Forbidden, and whatever went wrong on the way: both are a no */
    async function decide(policy: PolicyNow, message: AuthorizationRequest): Promise<void> {
      const { User, RequestMethod = '', RequestUri = '', RequestBody } = message;
      const caller = policy.callerOf(User);
      if (!caller) throw forbidden(`the policy does not name ${User}`);
      if (caller.isAdmin) return;
      const { path, version } = targetOf(RequestUri);
      const [room, id = '', action = ''] = path;
      const looks = RequestMethod === 'GET' || RequestMethod === 'HEAD';
      // Lists and inspect: our own questions are among them, and are not asked about again.
      const isList = path.length === 2 && id === 'json';
      const isInspect = path.length === 3 && action === 'json';
      if (looks && (room !== 'containers' || isList || isInspect)) return;
      if (caller.teams.length === 0) throw forbidden(`${caller.name} may only look`);
      const creates = room === 'containers' && path.length === 2 && id === 'create';
      if (creates) return checkCreate(policy, caller, RequestBody);
      if (room === 'exec' && path.length === 3) return await checkOwner(policy, caller, await containerOfExec(id));
      const removes = RequestMethod === 'DELETE' && path.length === 2;
      if (room !== 'containers' || id === 'prune' || !(removes || actions.has(action))) {
        throw forbidden(`${caller.name} may not ${RequestMethod} /${path.join('/')}: that is for administrators`);
      }
      if (action === 'exec' && member(bodyOf(RequestBody), 'Privileged')) {
        throw forbidden(`${caller.name} may not exec with privileges`);
      }
      if (action === 'update') checkWalls(caller, bodyOf(RequestBody));
      // Before API 1.24 a start had a HostConfig of its own.
      if (action === 'start' && version !== undefined && isBefore(version, 1, 24)) {
        throw forbidden('start containers with API 1.24 or later');
      }
      await checkOwner(policy, caller, id);
    }

    async function checkOwner({ label }: PolicyNow, caller: Caller, container: string): Promise<void> {
      const team = await labelOf(container, label);
      if (typeof team === 'string' && caller.teams.includes(team)) return;
      const whose = typeof team === 'string' ? `it is of ${label} ${team}` : `it has no label ${label}`;
      throw forbidden(`${caller.name} of ${caller.teams.join(', ')} may not touch ${container}: ${whose}`);
    }

    function checkCreate({ label }: PolicyNow, caller: Caller, base64: string | undefined): void {
      const body = bodyOf(base64);
      const labels = member(body, 'Labels');
      const team = isBody(labels) ? labels[label] : undefined;
      if (typeof team !== 'string' || !caller.teams.includes(team)) {
        const choices = caller.teams.map((name) => `--label ${label}=${name}`).join(' or ');
        throw forbidden(`${caller.name} may make containers of their own team only: add ${choices}`);
      }
      checkWalls(caller, member(body, 'HostConfig'));
    }

    function checkWalls(caller: Caller, hostConfig: unknown): void {
      const out = wayOut(hostConfig);
      if (out !== undefined) throw forbidden(`${caller.name} may not set ${out}: it leads out of the container`);
    }

    const authorizer = implement(authzKind, {
      async AuthZReq(message) {
        try {
          await decide(await readPolicy(file), message);
          return { Allow: true };
        } catch (error) {
          return { Allow: false, Msg: messageOf(error) };
        }
      },
      // A user may see what the user may ask for.
      AuthZRes: () => ({ Allow: true }),
    });
    return { implementations: [authorizer] };
  },
});

function isBefore(version: string, major: number, minor: number): boolean {
  const [theirs = 0, more = 0] = version.split('.').map(Number);
  return theirs < major || (theirs === major && more < minor);
}
