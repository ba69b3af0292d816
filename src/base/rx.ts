/*
 * What we use of rxjs, by itself: the whole of it is over 200 modules, a sixth of the time a process takes to
 * come back. They are the classes that `rxjs` exports.
 */
export { Observable } from 'rxjs/internal/Observable'
export { Subject } from 'rxjs/internal/Subject'
export { filter } from 'rxjs/internal/operators/filter'
export { map } from 'rxjs/internal/operators/map'
