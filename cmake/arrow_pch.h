// Precompiled for the layers that use Arrow: without it these headers cost nine seconds a file.
#pragma once
#include <arrow/api.h>

#include <memory>
#include <string>
#include <vector>
