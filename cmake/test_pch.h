// The same for their tests.
#pragma once
#include "common_pch.h"

#include <gtest/gtest.h>
