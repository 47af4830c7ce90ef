// Logging: a message in words and fields for machines. One small interface, pino behind it, two formats.

import { pino } from 'pino';
import type { Clock } from './clock.js';
import { LogGate } from './log-gate.js';
import type { LogOutput } from './log-output.js';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** What was not written; a log without it writes everything. */
  readonly unwritten?: () => UnwrittenLines;
}

/** Since the start: `lost` could not be written, `heldBack` said what a hundred lines had said shortly before. */
export type UnwrittenLines = { readonly lost: number; readonly heldBack: number };

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

const nothing = () => {};

/** Says nothing: what the library uses when it is given no log. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/**
 * A log of finished lines: `time level message key=value …`, or one JSON object each. Lines that were lost are said when
 * writing works again, lines that were held back when their period is over.
 */
export function createLog(format: LogFormat, level: LogLevel, output: LogOutput, clock: Clock): Log {
  const write = (line: string) => output.write(format === 'json' ? line : textLine(line));
  const logger = pino(
    {
      base: null,
      level,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  let reportedLost = 0;
  const reportLost = () => {
    const { count, reason, isOver } = output.loss();
    if (!isOver || count === reportedLost) return;
    logger.warn({ lines: count - reportedLost, reason }, 'log lines were lost');
    reportedLost = count;
  };
  const gate = new LogGate(clock, (message, count) =>
    logger.warn({ lines: count, of: message }, 'log lines of one message were held back'),
  );
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (!logger.isLevelEnabled(name) || !gate.admits(message)) return;
      reportLost();
      logger[name](fields, message);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    unwritten: () => ({ lost: output.loss().count, heldBack: gate.heldBack }),
  };
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
