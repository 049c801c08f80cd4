//===- Elementary.cpp - the programs run by ScalarOps ---------------------===//

#include "lib/Math/Elementary.h"
#include "lib/Math/Double.h"
#include "lib/Math/Trigonometry.h"

namespace mezzo::elementary {

float exp(float x) {
  ScalarOps o;
  return expProgram(o, x);
}

float log(float x) {
  ScalarOps o;
  return logProgram(o, x);
}

float sigmoid(float x) {
  ScalarOps o;
  return sigmoidProgram(o, x);
}

float tanh(float x) {
  ScalarOps o;
  return tanhProgram(o, x);
}

float erf(float x) {
  ScalarOps o;
  return erfProgram(o, x);
}

float sin(float x) {
  ScalarOps o;
  return sincosProgram(o, x, /*cosine=*/false);
}

float cos(float x) {
  ScalarOps o;
  return sincosProgram(o, x, /*cosine=*/true);
}

float tan(float x) {
  ScalarOps o;
  return tanProgram(o, x);
}

float asin(float x) {
  ScalarOps o;
  return asinProgram(o, x);
}

float acos(float x) {
  ScalarOps o;
  return acosProgram(o, x);
}

float atan(float x) {
  ScalarOps o;
  return atanProgram(o, x);
}

float sinh(float x) {
  ScalarOps o;
  return sinhProgram(o, x);
}

float cosh(float x) {
  ScalarOps o;
  return coshProgram(o, x);
}

float asinh(float x) {
  ScalarOps o;
  return asinhProgram(o, x);
}

float acosh(float x) {
  ScalarOps o;
  return acoshProgram(o, x);
}

float atanh(float x) {
  ScalarOps o;
  return atanhProgram(o, x);
}

double exp64(double x) {
  DoubleOps o;
  return exp64Program(o, x);
}

double log64(double x) {
  DoubleOps o;
  return log64Program(o, x);
}

} // namespace mezzo::elementary
