//===- Elementary.cpp - the programs run by ScalarOps ---------------------===//

#include "lib/Math/Elementary.h"

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

} // namespace mezzo::elementary
