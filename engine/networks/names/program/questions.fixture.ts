import dns from 'dns-packet';

/** A question with the number 4711. */
export const query = (name: string, type: dns.RecordType, more: Partial<dns.Packet> = {}) =>
  dns.encode({ type: 'query', id: 4711, flags: dns.RECURSION_DESIRED, questions: [{ name, type }], ...more });
/** The word of a client that takes so many bytes by UDP. */
export const withEdns = (udpPayloadSize: number, ednsVersion = 0): Partial<dns.Packet> => ({
  additionals: [
    { name: '.', type: 'OPT', udpPayloadSize, extendedRcode: 0, ednsVersion, flags: 0, flag_do: false, options: [] },
  ],
});
/** Another server's answer to a question. */
export const response = (message: Buffer, more: Partial<dns.Packet>) => {
  const { id, questions: asked } = dns.decode(message);
  return dns.encode({ type: 'response', id, questions: asked, ...more });
};
