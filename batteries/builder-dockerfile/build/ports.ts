import { fault } from '../language/fault.js';

const protocols = ['tcp', 'udp', 'sctp'];

/** `80`, `80/udp`, `8000-8010`: each port as a configuration has it, `80/tcp`. @throws DockerfileFault */
export function exposed(text: string): string[] {
  const [range = '', protocol = 'tcp', ...more] = (text.split(':').at(-1) ?? '').split('/');
  const wrong = (why: string) => fault(`invalid containerPort: ${why}`);
  if (range === '') throw fault(`no port specified: ${text}<empty>`);
  const name = protocol.toLowerCase() || 'tcp';
  if (more.length > 0 || !protocols.includes(name)) throw fault(`invalid proto: ${protocol}`);
  const [, first = '', last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === '' || from > to || to > 65_535) throw wrong(range);
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${name}`);
}
