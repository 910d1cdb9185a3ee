import Type, { type Static } from './schema.js';

/** The process at the other end of a UNIX socket, as the kernel vouches for it (socket(7), SO_PEERCRED). */
const CallingProcess = Type.Object({
  PID: Type.Integer({
    description: 'In the engine’s PID namespace, of the process that connected; 0: it is in another.',
  }),
  UID: Type.Integer({ description: 'On this host, also of a process in a container.' }),
  GID: Type.Integer(),
  Groups: Type.Array(Type.Integer(), { description: 'Supplementary groups.' }),
});

const Place = Type.Object({
  ID: Type.String({ description: '64 hexadecimal digits.' }),
  Name: Type.String({ description: 'As `docker ps` or `docker plugin ls` shows it.' }),
});

/** The client of the API, as far as its connection proves who it is. */
export const Caller = Type.Object({
  Method: Type.String({
    description: 'What proves it: `TLS` (a client certificate), `unix` (the kernel), or `none`.',
  }),
  User: Type.String({
    description:
      'The certificate’s common name; on a UNIX socket the name of the UID on this host, or its digits where it has none, and for a process in a container; empty for `none`.',
  }),
  Names: Type.Optional(
    Type.Array(Type.String(), {
      description:
        'Subject alternative names of the certificate: `DNS:ci.example.org`, `email:a@example.org`, `URI:…`.',
    }),
  ),
  Process: Type.Optional(CallingProcess),
  Within: Type.Optional(
    Type.String({
      description:
        'Where its process runs, on a UNIX socket: `host`, `container` or `plugin` of this engine, or `unknown`: it had ended before the engine could look, or is where the engine cannot look. A policy that grants something to users of the host must not grant it to `unknown`.',
    }),
  ),
  Container: Type.Optional(Place),
  Plugin: Type.Optional(Place),
});
export type Caller = Static<typeof Caller>;

/** On TCP without TLS, or with TLS that asks for no certificate. */
export const nobody: Caller = { Method: 'none', User: '' };

/** For a line of a log: `alice (TLS)`, `root, process 123`, `container web, user 0`. */
export function callerText({ Method, User, Process, Within, Container, Plugin }: Caller): string {
  if (Method === 'none') return 'nobody known';
  if (Method === 'TLS') return `${User} (TLS)`;
  if (Container) return `container ${Container.Name}, user ${User}`;
  if (Plugin) return `plugin ${Plugin.Name}, user ${User}`;
  return `${User}, process ${Process?.PID ?? 0}${Within === 'unknown' ? ' that has ended' : ''}`;
}
