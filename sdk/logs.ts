/** Write a log driver: what Docker's protocol asks of one is done here, and yours is where the lines go. */
export { encodeLogEntry, type LogEntry, type PartialLogMetadata } from '@cleat/protocol/log-entry';
export { type DecoderOptions, LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
export { LogDriver, type LogDriverSettings } from './logs/driver.js';
export { entrySink } from './logs/entry-sink.js';
export { attributeOptions, attributesOf, checkNames, tagOf } from './logs/options.js';
export type { LogDestination, Sink, SinkReport } from './logs/sink.js';
