// Logging: a message in words and fields for machines. One small interface, pino behind it, two formats.

import { pino } from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

const nothing = () => {};

/** Says nothing: what the library uses when it is given no log. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A log that hands finished lines to `write`: `time level message key=value …`, or one JSON object each. */
export function createLog(format: LogFormat, level: LogLevel, write: (line: string) => void): Log {
  const stream = { write: format === 'json' ? write : (line: string) => write(textLine(line)) };
  const logger = pino(
    {
      base: null,
      level,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}) =>
      logger[name](fields, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function textLine(json: string): string {
  const { time, level, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${textValue(value)}`);
  const words = String(message).replaceAll(/\s+/g, ' ');
  return `${time} ${String(level).padEnd(5)} ${words}${rest.join('')}\n`;
}

function textValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return typeof value !== 'string' || /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
