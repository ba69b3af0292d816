import stringWidth from 'string-width'
import { styled, type Terminal } from '../../src/cli/terminal.ts'
import type { AlertLine, Fleet, VehicleRow, VehicleState } from './fleet.ts'

type Style = Parameters<typeof styled>[1]

const STATE_STYLES: Readonly<Record<VehicleState, Style>> = {
  ok: 'green',
  fast: 'yellow',
  hot: 'yellow',
  overheating: 'red',
  silent: 'red',
}

/** The live view, one string a line, none wider than the terminal. @param rows  lines there is room for */
export function frame(fleet: Fleet, terminal: Terminal, title: string, rows: number): string[] {
  const all = fleet.vehicles
  const hasEngine = all.some((v) => v.engineTemp !== null || v.fuelLevel !== null)
  const alertRows = Math.max(3, Math.min(fleet.alerts.length, rows - all.length - FIXED_ROWS))
  const vehicles = shown(fleet, Math.max(3, rows - alertRows - FIXED_ROWS))
  const idWidth = Math.max(7, ...vehicles.map((v) => stringWidth(v.id)))
  const head = [
    styled(terminal, 'bold', title),
    `${grouped(fleet.recordsPerSecond)} records/s`,
    `event time ${timeText(fleet.eventTimeMs)}`,
    fleet.firing === 0 ? 'no alert fires' : styled(terminal, 'red', firingText(fleet.firing)),
  ].join('   ')
  const names = `${'vehicle'.padEnd(idWidth)}  readings  average   top  ${hasEngine ? `${'engine'.padEnd(18)}  fuel  ` : ''}state`
  const lines = [head, '', styled(terminal, 'dim', names)]
  for (const vehicle of vehicles) lines.push(vehicleLine(vehicle, fleet, terminal, idWidth, hasEngine))
  if (all.length === 0) lines.push(styled(terminal, 'dim', 'waiting for the first readings'))
  if (vehicles.length < all.length)
    lines.push(styled(terminal, 'dim', `and ${all.length - vehicles.length} more vehicles`))
  lines.push('', styled(terminal, 'dim', 'alerts'))
  const recent = fleet.alerts.slice(-alertRows)
  if (recent.length === 0) lines.push(styled(terminal, 'dim', 'none yet'))
  for (const line of recent) lines.push(alertText(line, terminal))
  lines.push(styled(terminal, 'dim', 'Ctrl-C ends; started again, it goes on from there.'))
  return lines.slice(0, rows).map((line) => cut(line, terminal.width))
}

/** Header, blank lines, column names, "and more", the line of the alerts, and how to end it. */
const FIXED_ROWS = 7

/** Those that need a look come first where there isn't room for all. */
function shown(fleet: Fleet, count: number): readonly VehicleRow[] {
  const all = fleet.vehicles
  if (all.length <= count) return all
  return all
    .toSorted((a, b) => Number(fleet.stateOf(a.id) === 'ok') - Number(fleet.stateOf(b.id) === 'ok'))
    .slice(0, count)
}

function vehicleLine(
  vehicle: VehicleRow,
  fleet: Fleet,
  terminal: Terminal,
  idWidth: number,
  hasEngine: boolean,
): string {
  const state = fleet.stateOf(vehicle.id)
  const figures = [
    vehicle.id + ' '.repeat(idWidth - stringWidth(vehicle.id)),
    String(vehicle.readings).padStart(8),
    decimal(vehicle.averageSpeed).padStart(7),
    decimal(vehicle.topSpeed).padStart(5),
  ]
  if (hasEngine) {
    figures.push(temperatureBar(vehicle.engineTemp, terminal))
    figures.push(vehicle.fuelLevel === null ? '    –' : `${vehicle.fuelLevel.toFixed(0).padStart(3)} %`)
  }
  return [...figures, styled(terminal, STATE_STYLES[state], state)].join('  ')
}

const BAR_CELLS = 10
const BAR_FROM = 70
const BAR_TO = 130

/** From 70 to 130 °C, and the figure: 18 columns. */
function temperatureBar(temp: number | null, terminal: Terminal): string {
  if (temp === null) return '–'.padEnd(18)
  const share = Math.max(0, Math.min(1, (temp - BAR_FROM) / (BAR_TO - BAR_FROM)))
  const full = Math.round(share * BAR_CELLS)
  const style = temp > 110 ? 'red' : temp > 100 ? 'yellow' : 'green'
  const bar =
    styled(terminal, style, '█'.repeat(full)) + styled(terminal, 'dim', '·'.repeat(BAR_CELLS - full))
  return `${bar} ${temp.toFixed(0).padStart(4)} °C`
}

/** One alert event as a line. */
export function alertText(line: AlertLine, terminal: Terminal): string {
  const state = line.state.padEnd(8)
  const forSeconds = Math.round((line.atMs - line.sinceMs) / 1_000)
  return [
    timeText(line.atMs),
    styled(terminal, line.state === 'resolved' ? 'green' : line.state === 'firing' ? 'red' : 'yellow', state),
    line.alert.toLowerCase().padEnd(18),
    line.vehicle,
    line.state === 'resolved' ? `after ${forSeconds} s` : (line.severity ?? ''),
    line.detail,
  ]
    .filter((part) => part !== '')
    .join('  ')
}

export function firingText(count: number): string {
  return count === 1 ? '1 alert fires' : `${count} alerts fire`
}

/** Hours, minutes and seconds in UTC. */
export function timeText(epochMs: number): string {
  return epochMs < 0 ? '–' : new Date(epochMs).toISOString().slice(11, 19)
}

export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function decimal(value: number | null): string {
  return value === null ? '–' : value.toFixed(1)
}

// oxlint-disable-next-line no-control-regex -- terminal styles begin with ESC
const STYLE = /\u001b\[[\d;]*m/y

/** Cuts a text to a number of columns; styles stay whole and are ended. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let result = ''
  let used = 0
  for (let i = 0; i < text.length;) {
    STYLE.lastIndex = i
    const style = STYLE.exec(text)
    const piece = style?.[0] ?? String.fromCodePoint(text.codePointAt(i)!)
    i += piece.length
    if (style === null) {
      const next = stringWidth(piece)
      if (used + next > width - 1) continue
      used += next
    }
    result += piece
  }
  return `${result}…`
}
