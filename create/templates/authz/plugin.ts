import { authzKind, defineExtension, implement } from '@cleat/sdk';

/** Nobody makes a privileged container. What is not understood is denied: an authorizer fails closed. */
export default defineExtension({
  options: { allow: { help: 'the user (of a TLS certificate) who may all the same' } },
  start({ options }) {
    const isPrivileged = (body: string) => {
      const request = JSON.parse(Buffer.from(body, 'base64').toString() || '{}');
      return request?.HostConfig?.Privileged === true;
    };
    const policy = implement(authzKind, {
      // Before the engine does anything. Cleat's body is as it understood it; dockerd's is as the client wrote it.
      AuthZReq({ User, RequestMethod, RequestUri = '', RequestBody = '' }) {
        const path = decodeURIComponent(RequestUri.replace(/\?.*$/s, '')).replace(/^\/v[\d.]+\//, '/');
        const makes = RequestMethod === 'POST' && /^\/containers\/create\/*$/.test(path);
        if (!makes || (User !== undefined && User === options.allow)) return { Allow: true };
        if (isPrivileged(RequestBody)) return { Allow: false, Msg: 'privileged containers are not for this host' };
        return { Allow: true };
      },
      // Before its answer is sent.
      AuthZRes: () => ({ Allow: true }),
    });
    return { implementations: [policy] };
  },
});
