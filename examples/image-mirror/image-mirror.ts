import { defineExtension, hookKind, implement } from '@cleat/sdk';

/** Images of Docker Hub come from a mirror, whatever name the user types. */
export default defineExtension({
  options: { mirror: { required: true, help: 'where they come from: mirror.example:5000, or mirror.example/hub' } },
  start({ options }) {
    const prefix = options.mirror.replace(/\/+$/, '');
    const hook = implement(hookKind, {
      Capabilities: () => ({
        Protocol: 1,
        Match: [{ Methods: ['POST'], Routes: ['/containers/create', '/images/create'] }],
        Request: 'body',
      }),
      Request({ Route, Query, Body }) {
        const [path, name] =
          Route === '/images/create' ? ['Query.fromImage', Query.fromImage] : ['Body.Image', imageOf(Body)];
        const mirrored = typeof name === 'string' ? onMirror(name, prefix) : undefined;
        return mirrored === undefined ? {} : { Set: [{ Path: path, Value: mirrored }] };
      },
    });
    return { implementations: [hook] };
  },
});

function imageOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'Image' in body ? body.Image : undefined;
}

/** `busybox` is `library/busybox` there. @returns undefined for an ID, and for a name of another registry */
function onMirror(name: string, prefix: string): string | undefined {
  if (name === '' || /^(sha256:)?[0-9a-f]{12,64}$/.test(name)) return undefined;
  const path = name.replace(/^(index\.)?docker\.io\//, '');
  const [first = ''] = path.split('/');
  const isOther = path.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  if (isOther) return undefined;
  return `${prefix}/${path.includes('/') ? path : `library/${path}`}`;
}
